"""A training run: its configuration, its loop, and the folder that it leaves behind."""
