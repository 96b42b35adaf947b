"""Evaluation by named protocols: sets, retrieval over any number of places, results."""
