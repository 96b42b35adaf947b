from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from training.datasets.source import Excluded
from training.index.manifest import Group
from training.index.report import DatasetReport, FaultList, report_files, table, write_reports


def report() -> DatasetReport:
    report = DatasetReport("mine", Path("/data"), notes=["a note"])
    report.add(
        [
            Group("mine/rome/0.0.0", "mine", "rome", places=2, images=9),
            Group("mine/rome/0.0.1", "mine", "rome", places=1, images=4),
            Group("mine/oslo/0.0.0", "mine", "oslo", places=1, images=1000),
        ]
    )
    report.drop("rome", "panorama", 3)
    report.city("oslo").faulty["missing"] += 2
    return report


def test_totals() -> None:
    total = report().total()
    assert (total.images, total.places, total.groups, total.listed) == (1013, 4, 3, 1018)
    assert total.left_out == Counter({"panorama": 3})
    assert total.faulty == Counter({"missing": 2})


def test_the_table_has_a_line_for_each_city_and_reason() -> None:
    lines = [line.split() for line in table([report()]).splitlines()]
    assert ["mine", "rome", "16", "13", "3", "2", "3", "0"] in lines
    assert ["mine", "oslo", "1,002", "1,000", "1", "1", "0", "2"] in lines
    assert ["mine", "all", "1,018", "1,013", "4", "3", "3", "2"] in lines
    text = table([report()])
    assert "mine: 3 left out: panorama" in text
    assert "mine: 2 faulty: missing" in text
    assert "mine: a note" in text
    assert len({len(line) for line in text.splitlines()[:5]}) == 1


def test_both_files_hold_every_fault(tmp_path: Path) -> None:
    faults = FaultList(tmp_path / "faults")
    strange = "a\nb\udcff.jpg"
    faults.add("mine", Excluded("1.jpg", "rome", "missing", faulty=True))
    faults.add("mine", Excluded(strange, "rome", "unreadable", "not UTF-8", faulty=True))
    files = report_files(tmp_path)
    write_reports(files, [report()], faults)
    faults.close()
    written = json.loads(files[1].read_text())
    assert written["faulty"][0] == {
        "dataset": "mine",
        "path": "1.jpg",
        "reason": "missing",
        "detail": "",
    }
    assert written["faulty"][1]["path"] == "a\nb\\udcff.jpg"
    assert written["datasets"]["mine"]["total"]["images"] == 1013
    assert list(written["datasets"]["mine"]["cities"]) == ["rome", "oslo"]
    lines = files[0].read_text().splitlines()
    assert "mine: 1.jpg: missing" in lines
    assert "mine: a b\\udcff.jpg: unreadable (not UTF-8)" in lines


def test_files_without_faults(tmp_path: Path) -> None:
    faults = FaultList(tmp_path / "faults")
    write_reports(report_files(tmp_path), [report()], faults)
    assert json.loads((tmp_path / "report.json").read_text())["faulty"] == []
    assert "faulty images" not in (tmp_path / "report.txt").read_text()
