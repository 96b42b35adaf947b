"""Folders and files that survive crashes and are written by one program at a time."""
