"""Readers of the published place-recognition datasets, and of a user's own images."""
