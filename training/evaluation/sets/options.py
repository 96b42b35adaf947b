"""What a user may choose about a named set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SetOptions:
    """Settings of a protocol; None keeps what the set is published with.

    radius: metres within which a database image is a right one (in sets that have positions).
    heading: degrees that headings may differ by, in addition.
    """

    radius: float | None = None
    heading: float | None = None
