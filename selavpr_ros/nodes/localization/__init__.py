"""The localization node: camera images found in a place map."""
