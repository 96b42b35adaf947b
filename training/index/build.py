"""The index of several datasets: read, check, divide, number, write."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.datasets.source import NO_HEADING, Candidate, Entry, Excluded, Source
from training.errors import DatasetError
from training.index.checking import Check, image_check
from training.index.division import AnyDivision, Division, Stretches
from training.index.keys import KEY_TYPE, class_keys
from training.index.manifest import Group, Manifest
from training.index.numbering import PlaceNumbering
from training.index.positions import OneZonePerCity
from training.index.report import DatasetReport, FaultList, report_files, write_reports
from training.index.sorting import RUN_ROWS, ExternalSorter
from training.index.writing import TableWriter, replaced_folder

_TOGETHER = 8192
_SORTED = pa.schema(
    [
        ("key", KEY_TYPE),
        ("path", pa.string()),
        ("easting", pa.float64()),
        ("northing", pa.float64()),
        ("zone", pa.string()),
        ("heading", pa.float32()),
        ("date", pa.string()),
    ]
)

_Item = TypeVar("_Item")

Progress = Callable[[str, int | None], Callable[[int], None]]
"""Called with what begins and how many images it has, if known; returns what to call with images
done, and with 0 at the end."""


@dataclass(frozen=True)
class Dataset:
    """A source, and how it is divided into places."""

    source: Source
    division: AnyDivision


@dataclass(frozen=True)
class BuildSettings:
    """How an index is built.

    Attributes:
        check: one of training.index.checking.LEVELS.
        max_missing: largest share of a dataset's images that may be missing or damaged, 0 to 1.
        run_rows: rows that are sorted in memory at once.
    """

    check: str = "files"
    max_missing: float = 0.01
    run_rows: int = RUN_ROWS


def build_index(
    datasets: Sequence[Dataset],
    output: Path,
    settings: BuildSettings,
    progress: Progress = lambda what, total: lambda done: None,
) -> list[DatasetReport]:
    """Write the index of some datasets and return what became of their images.

    The same files and settings give the same bytes, wherever the index is written.

    Raises:
        DatasetError: a dataset cannot be read, or more of it is missing than may be (then the list
            is in OUTPUT.report.txt, and an index that is there stays); nothing is left to index; or
            the output cannot be written.
    """
    output = Path(os.path.abspath(output))
    refused = _beside(output, "report.txt"), _beside(output, "report.json")
    with replaced_folder(output) as aside:
        faults = FaultList(aside / "faults")
        writer = TableWriter(aside)
        build = _Build(aside / "runs", writer, faults, settings, progress, refused[0])
        try:
            for dataset in datasets:
                build.add(dataset)
            if not build.groups:
                raise DatasetError(f"no place is left to index: {_main_reason(build.reports)}")
        except DatasetError:
            if any(report.total().listed for report in build.reports):
                write_reports(refused, build.reports, faults)
            raise
        finally:
            faults.close()
        Manifest(
            roots={
                dataset.source.name: str(dataset.source.root.absolute()) for dataset in datasets
            },
            settings={dataset.source.name: _how(dataset) for dataset in datasets},
            groups=build.groups,
            fingerprint=writer.close(),
        ).write(aside)
        write_reports(report_files(aside), build.reports, faults)
        (aside / "faults").unlink()
    for stale in refused:
        stale.unlink(missing_ok=True)
    return build.reports


class _Build:
    """What the datasets of an index have in common while it is built."""

    def __init__(
        self,
        runs: Path,
        writer: TableWriter,
        faults: FaultList,
        settings: BuildSettings,
        progress: Progress,
        refused: Path,
    ) -> None:
        self.groups: list[Group] = []
        self.reports: list[DatasetReport] = []
        self._places = 0
        self._runs = runs
        self._writer = writer
        self._faults = faults
        self._settings = settings
        self._progress = progress
        self._refused = refused

    def add(self, dataset: Dataset) -> None:
        """Read a dataset and append its places."""
        source, division = dataset.source, dataset.division
        report = DatasetReport(source.name, source.root.absolute())
        self.reports.append(report)
        sorter = ExternalSorter(self._runs, self._settings.run_rows)
        cities = self._read(dataset, report, sorter)
        report.notes[:0] = source.notes
        self._refuse_if_much_is_missing(report, sorter.rows)
        numbering = PlaceNumbering(
            source.name, cities, division, len(self.groups), self._places, report.drop
        )
        done = self._progress(f"{source.name}: dividing", sorter.rows)
        for rows in numbering.number(_counted(sorter.sorted(), done)):
            self._writer.add(rows)
        done(0)
        report.add(numbering.groups)
        self.groups += numbering.groups
        self._places += numbering.places
        shutil.rmtree(self._runs)

    def _read(self, dataset: Dataset, report: DatasetReport, sorter: ExternalSorter) -> list[str]:
        """Hand a dataset's images to the sorter; return the cities by their numbers."""
        cities: dict[str, int] = {}
        zones = OneZonePerCity()
        done = self._progress(f"{dataset.source.name}: reading", None)
        with image_check(self._settings.check) as check:
            for entries in _together(dataset.source.entries(), _TOGETHER):
                kept = self._kept(entries, dataset, report, zones, check)
                if kept:
                    numbers = [cities.setdefault(row.city, len(cities)) for row in kept]
                    sorter.add(sortable(np.array(numbers, np.int64), kept, dataset.division))
                done(len(entries))
        done(0)
        if zones.converted:
            count = zones.converted
            report.notes.append(f"{count:,} positions brought to the UTM zone of their city")
        return list(cities)

    def _kept(
        self,
        entries: Sequence[Entry],
        dataset: Dataset,
        report: DatasetReport,
        zones: OneZonePerCity,
        check: Check,
    ) -> list[Candidate]:
        """Return the images that can be divided, and report the others."""
        for entry in entries:
            report.city(entry.city)  # so that cities come in the dataset's order in the report
        candidates = self._without_excluded(entries, report)
        if not isinstance(dataset.division, Stretches):
            candidates = self._without_excluded(zones.place(candidates), report)
        if isinstance(dataset.division, Division) and dataset.division.needs_heading:
            candidates = self._without_excluded(map(_with_heading, candidates), report)
        return self._without_excluded(check(dataset.source.root, candidates), report)

    def _without_excluded(self, entries: Iterable[Entry], report: DatasetReport) -> list[Candidate]:
        kept = []
        for entry in entries:
            if isinstance(entry, Candidate):
                kept.append(entry)
            elif entry.faulty:
                report.city(entry.city).faulty[entry.reason] += 1
                self._faults.add(report.name, entry)
            else:
                report.drop(entry.city, entry.reason, 1)
        return kept

    def _refuse_if_much_is_missing(self, report: DatasetReport, kept: int) -> None:
        total = report.total()
        faulty, listed = total.faulty.total(), total.listed + kept
        if not listed:
            raise DatasetError(f"{report.name}: there is no image in {report.root}")
        if faulty > self._settings.max_missing * listed:
            first = next(fault for fault in self._faults if fault["dataset"] == report.name)
            raise DatasetError(
                f"{report.name}: {faulty:,} of {listed:,} images are missing or damaged"
                f" ({faulty / listed:.1%}), and {self._settings.max_missing:.1%} may be"
                f" (the first: {first['path']}: {first['reason']}); the list is in {self._refused}"
            )


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(f"{output.name}.{suffix}")


def _with_heading(candidate: Candidate) -> Entry:
    if candidate.heading == candidate.heading:
        return candidate
    return Excluded(candidate.path, candidate.city, NO_HEADING)


def sortable(
    cities: NDArray[np.int64], candidates: Sequence[Candidate], division: AnyDivision
) -> pa.Table:
    """Return images as rows that sort into the order of the index; cities are numbers, [n]."""
    columns = {
        name: [getattr(candidate, name) for candidate in candidates] for name in _SORTED.names[1:]
    }
    # float32 rounds the largest angles below a full turn to it.
    heading = np.mod(np.array(columns["heading"], np.float64), 360.0).astype(np.float32)
    heading[heading == 360.0] = 0.0
    keys = class_keys(cities, candidates, division)
    return pa.table({**columns, "key": keys, "heading": heading}, schema=_SORTED)


def _counted(tables: Iterable[pa.Table], done: Callable[[int], None]) -> Iterator[pa.Table]:
    for rows in tables:
        yield rows
        done(rows.num_rows)


def _together(items: Iterable[_Item], count: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while block := list(islice(iterator, count)):
        yield block


def _how(dataset: Dataset) -> dict[str, float]:
    """What the index keeps about how a dataset was read and divided."""
    return {"reader": dataset.source.version, **asdict(dataset.division)}


def _main_reason(reports: Sequence[DatasetReport]) -> str:
    """Say what most of the images were dropped for."""
    reasons: Counter[str] = Counter()
    for report in reports:
        total = report.total()
        reasons += total.left_out + total.faulty
    reason, count = reasons.most_common(1)[0]
    hint = "; alpha=360 and L=1 tell places apart by position alone" if reason == NO_HEADING else ""
    return f"{count:,} of {reasons.total():,} images: {reason}{hint}"
