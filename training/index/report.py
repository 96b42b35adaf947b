"""What became of every image: a table to read, JSON for scripts, and the list of the bad ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from training.datasets.source import Excluded
from training.index.manifest import REPORT_JSON, REPORT_TEXT, Group


@dataclass
class CityReport:
    """One city: images, places and groups in the index, and how many images are not, by reason.

    left_out: on purpose. faulty: because the image or its entry is missing or damaged.
    """

    images: int = 0
    places: int = 0
    groups: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    faulty: Counter[str] = field(default_factory=Counter)

    @property
    def listed(self) -> int:
        """Images that the dataset names."""
        return self.images + self.left_out.total() + self.faulty.total()


@dataclass
class DatasetReport:
    """One dataset, by city.

    notes: what else there is to know, a line each.
    """

    name: str
    root: Path
    cities: dict[str, CityReport] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def city(self, name: str) -> CityReport:
        """Return the report of a city, a new one for a new city."""
        return self.cities.setdefault(name, CityReport())

    def drop(self, city: str, reason: str, images: int) -> None:
        """Count images that are left out on purpose."""
        self.city(city).left_out[reason] += images

    def add(self, groups: Iterable[Group]) -> None:
        """Count what went into the index."""
        for group in groups:
            city = self.city(group.city)
            city.images += group.images
            city.places += group.places
            city.groups += 1

    def total(self) -> CityReport:
        """Return the sum over all cities."""
        return _sum(self.cities.values())

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the cities in the dataset's order."""
        return {
            "root": str(self.root),
            "notes": self.notes,
            "total": _entries(self.total()),
            "cities": {name: _entries(city) for name, city in self.cities.items()},
        }


class FaultList:
    """The images that are missing or damaged, written to a file as they are found."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def add(self, dataset: str, fault: Excluded) -> None:
        """Append one."""
        entry = {
            "dataset": dataset,
            "path": fault.path.encode(errors="backslashreplace").decode(),
            "reason": fault.reason,
            "detail": fault.detail.encode(errors="backslashreplace").decode(),
        }
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Yield them again, in their order."""
        if not self._file.closed:
            self._file.flush()
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        """Close the file; the list can still be read."""
        self._file.close()


def table(reports: Sequence[DatasetReport]) -> str:
    """Return a table with a line for each city, and the reasons of what is not in the index."""
    rows: list[tuple[str, ...]] = [
        ("dataset", "city", "listed", "images", "places", "groups", "left out", "faulty")
    ]
    for report in reports:
        rows += [_row(report.name, name, city) for name, city in report.cities.items()]
        if len(report.cities) != 1:
            rows.append(_row(report.name, "all", report.total()))
    if len(reports) > 1:
        rows.append(_row("all", "", _sum(report.total() for report in reports)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
            + [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    for report in reports:
        total = report.total()
        lines += [
            f"{report.name}: {count:,} {kind}: {reason}"
            for kind, reasons in (("left out", total.left_out), ("faulty", total.faulty))
            for reason, count in sorted(reasons.items())
        ]
        lines += [f"{report.name}: {note}" for note in report.notes]
    return "\n".join(lines)


def write_reports(
    files: tuple[Path, Path], reports: Sequence[DatasetReport], faults: FaultList
) -> None:
    """Write the table and the list of faulty images, as text (the first file) and as JSON."""
    text, structured = files
    with text.open("w", encoding="utf-8") as file:
        file.write(table(reports) + "\n")
        for number, fault in enumerate(faults):
            if not number:
                file.write("\nfaulty images and entries:\n")
            detail = f" ({fault['detail']})" if fault["detail"] else ""
            line = f"{fault['dataset']}: {fault['path']}: {fault['reason']}{detail}"
            file.write(" ".join(line.splitlines()) + "\n")
    with structured.open("w", encoding="utf-8") as file:
        datasets = {report.name: report.to_json() for report in reports}
        start = json.dumps({"datasets": datasets}, indent=1, ensure_ascii=False)
        # The list may be long: one entry after the other instead of all in memory.
        file.write(start.removesuffix("\n}") + ',\n "faulty": [')
        for number, fault in enumerate(faults):
            file.write(("," if number else "") + "\n  " + json.dumps(fault, ensure_ascii=False))
        file.write("\n ]\n}\n")


def report_files(folder: Path) -> tuple[Path, Path]:
    """Return where an index keeps its reports."""
    return folder / REPORT_TEXT, folder / REPORT_JSON


def _sum(cities: Iterable[CityReport]) -> CityReport:
    total = CityReport()
    for city in cities:
        total.images += city.images
        total.places += city.places
        total.groups += city.groups
        total.left_out.update(city.left_out)
        total.faulty.update(city.faulty)
    return total


def _entries(city: CityReport) -> dict[str, Any]:
    return {
        "listed": city.listed,
        "images": city.images,
        "places": city.places,
        "groups": city.groups,
        "left_out": dict(sorted(city.left_out.items())),
        "faulty": dict(sorted(city.faulty.items())),
    }


def _row(dataset: str, name: str, city: CityReport) -> tuple[str, ...]:
    numbers = (city.listed, city.images, city.places, city.groups)
    more = (city.left_out.total(), city.faulty.total())
    return (dataset, name, *(f"{number:,}" for number in (*numbers, *more)))
