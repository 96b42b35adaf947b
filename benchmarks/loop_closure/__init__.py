"""Loop closure on recorded and on rendered drives, with the settings that the node has.

    python -m benchmarks.loop_closure             a table of precision and recall
    python -m benchmarks.loop_closure --json      ... for scripts

Every frame is a keyframe, described once by the weights `tiny` (CPU, float32), compared with the
keyframes before it outside of the exclusion window, and verified. A query counts as answerable
where one of the keyframes that it is compared with is a right one. Precision is the share of right
ones among the closures, recall the share of answerable queries with a right closure.

rtabmap_samples  84 frames of an indoor circuit driven twice, in their order, a second apart and
                 without odometry; the last 10 frames are excluded. White in samples_GT.bmp (row the
                 query, column the match) is right.
toshiki_loop     72 grey frames of a campus loop of 217 m with its odometry. Right is what was taken
                 within 25 m and 45 degrees by that odometry. The loop closes at its end.
alike            a rendered circuit of 480 m driven three times, through streets on which every
                 block has the same houses: each view is there again 80 m on. Light, parked cars and
                 lane differ from lap to lap; odometry drifts. Right is what was taken within 25 m
                 and 45 degrees in truth.

25 m are the convention of the field; how far the two ends of the closures lie apart is shown.

Of each set the figures without verification, with each by itself, with all, with those that are on
unless somebody turns them off, and with these where two of the four keyframes before must agree
("cautious") are shown. Beside them stands the recall at precision 1 that a
threshold could reach which is the best for just this set, and which nobody knows beforehand: one of
the similarity of the best match, and one of the inliers of geometric verification.

The first two serve testing alone. Whoever chose settings by them would make them worthless.
"""
