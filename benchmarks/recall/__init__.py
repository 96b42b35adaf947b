"""Recall of weights on real and on rendered places, held against recorded figures.

    python -m benchmarks.recall             a table of Recall@1 and @5 of the weights `tiny`
    python -m benchmarks.recall --check     ... held against recall.json
    python -m benchmarks.recall --record    ... written to recall.json

Every figure is of one protocol, by the search of the node and with the describer as users have it
(CPU, float32). The right places of a query:

rtabmap_samples  84 frames of an indoor circuit driven twice. The first half, frames 1 to 42, is the
                 database; each of frames 43 to 84 is a query. White in samples_GT.bmp (row the
                 query, column the database frame) says that two show the same place. 42 queries,
                 none of them without a right place.
lund             bag lund_map_even is the database, lund_query_odd the queries (street photos);
                 right is what was taken within 10 m by the fixes. 14 queries; one has no right
                 place, stays in the denominator and can only fail, so that .93 is the most.
toshiki_loop     of 72 grey frames of a campus loop those of even number (0, 2, ...) are the
                 database, the odd ones the 36 queries; right is within 6 m by the odometry.
rendered         six streets of the test town of examples/places, in which nothing is trained: the
                 database of one drive, the queries of another in other season and light; within
                 10 m and 45 degrees of heading.
tower            for information only, since it is of the project's own training data: of the floors
                 that training holds back, queries (split `query`) against gallery frames; right
                 is the same floor and area.

Chance is what a place drawn blindly from the database would reach: the share of right places, the
mean over the queries that have one. The lists of the first three are shorter than the 100 places
that two-stage retrieval re-ranks: there it finds what float-only retrieval finds.

The first three serve testing alone. Whoever chose settings by them would make them worthless.
"""
