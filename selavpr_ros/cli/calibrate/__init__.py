"""`selavpr calibrate`: how alike an answer must be to be believed."""

from selavpr_ros.cli.calibrate.command import add_parser

__all__ = ["add_parser"]
