"""An evaluation as one HTML page that opens offline."""

from training.report.page import write_report

__all__ = ["write_report"]
