"""Readers of the published sets, and of anybody's images."""
