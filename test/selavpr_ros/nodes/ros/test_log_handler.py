from __future__ import annotations

import logging

import pytest

from selavpr_ros.nodes.ros.log_handler import RosLogHandler


class Logger:
    """The logger of a node."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, text: str) -> None:
        self.lines.append(("info", text))

    def warning(self, text: str) -> None:
        self.lines.append(("warning", text))

    def error(self, text: str) -> None:
        self.lines.append(("error", text))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.DEBUG, "info"),
        (logging.INFO, "info"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_a_record_keeps_its_severity(level: int, expected: str) -> None:
    logger, library = Logger(), logging.Logger("library")
    library.addHandler(RosLogHandler(logger))
    library.log(level, "%d of %d places", 3, 4)
    assert logger.lines == [(expected, "3 of 4 places")]
