"""Rendered places on disk, to train and evaluate with where no dataset is to be had.

    python -m examples.places --output places/

renders drives through several towns, as pictures with a table for `training.prepare`, and two
drives through another town for `training.evaluate`. The same seed gives the same files.
"""
