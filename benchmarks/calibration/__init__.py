"""Whether calibrated thresholds keep their precision on drives that took no part in it.

    python -m benchmarks.calibration --keep DIR     goes on where it was interrupted

Towns of different kinds are rendered, and driven along all inner streets, there and back, a picture
every 2 metres: for the map at noon in summer; on the same day in another lane, among other cars;
and, by another camera, on an afternoon in autumn and under clouds in spring. Each town in turn is
left out of the map, and the rest is calibrated from its own places or by a drive. The thresholds
are then put to the drives that took no part in that: through the mapped towns, and through the
town that was left out, where every answer is wrong. How thresholds are found was chosen on towns 1
to 4 of examples/places with the seed 11 and on the town of benchmarks.localization with the seed
41; the towns here chose nothing.

stored      of the maps, those for which the wanted precision was shown, and thresholds stored. The
            figures are of these alone.
precision   right answers of all answers on the drive, all maps together; those from the town that
            was left out weigh as if it had been asked as often as those in the map.
lowest      that of the map where it is lowest.
recall      right answers of the queries from the mapped towns; `there` as the calibration put it.
"""
