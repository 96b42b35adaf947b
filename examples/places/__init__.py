"""Rendered places on disk, to train and evaluate with where no dataset is to be had.

    python -m examples.places --output places/

renders drives through many towns, as pictures with a table for `training.prepare`, and two drives
through each of two other towns for `training.evaluate`. The same seed gives the same files.
"""
