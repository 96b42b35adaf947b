"""Training on the unified dataset, and evaluation by named protocols.

    python -m training.prepare ...      published datasets and own images to one index
    python -m training.train ...        an index to weights
    python -m training.evaluate ...     weights to recall on a named set

Run from a checkout; what is installed on a robot does not hold it.
"""
