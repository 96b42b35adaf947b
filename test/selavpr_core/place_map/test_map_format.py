"""docs/map_format.md says what the program does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from selavpr_core.camera import CameraModel, DistortionModel
from selavpr_core.place_map import Calibration, ModelInfo, PlaceMap, SegmentInfo
from selavpr_core.place_map.manifest import FORMAT, NEWEST_VERSION, StoredFile
from selavpr_core.place_map.segment import data_columns, thumbnail_columns

from .maps import LUND, MODEL, places, write_map


def tables(project: Path) -> list[dict[str, list[str]]]:
    """Return each table as rows by their first cell, which may name several entries."""
    found: list[dict[str, list[str]]] = [{}]
    for line in (project / "docs/map_format.md").read_text("utf-8").splitlines():
        if not line.startswith("|"):
            if found[-1]:
                found.append({})
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`(\w+)`", cells[0]):
            found[-1][name] = cells[1:]
    return [table for table in found if table]


def test_every_entry_and_tensor_is_described(project: Path, tmp_path: Path) -> None:
    manifest, datum, model, segment, stored, camera, calibration, data, thumbnails = tables(project)
    path = write_map(tmp_path / "m", {"a": places(1)})
    entries = json.loads((path / "map.json").read_text())
    assert list(manifest) == list(entries)
    assert list(datum) == list(LUND.to_json())
    assert list(model) == list(ModelInfo.__dataclass_fields__)
    assert list(segment) == list(SegmentInfo.__dataclass_fields__)
    assert list(stored) == list(StoredFile.__dataclass_fields__)
    assert list(camera) == list(CameraModel.__dataclass_fields__)
    assert [f"`{name}`" for name in get_args(DistortionModel)] == re.findall(
        r"`\w+`", camera["model"][1]
    )
    assert list(calibration) == list(Calibration.__dataclass_fields__)
    for table, columns in ((data, data_columns(MODEL, 7)), (thumbnails, thumbnail_columns(7, 5))):
        assert set(table) == set(columns)
        for name, tensor in columns.items():
            kind = {"f": "F", "i": "I", "u": "U"}[tensor.dtype.kind]
            assert table[name][0] == f"{kind}{8 * tensor.dtype.itemsize}"


def test_the_constants_are_the_described_ones(project: Path) -> None:
    text = (project / "docs/map_format.md").read_text("utf-8")
    assert f'always `"{FORMAT}"`' in text
    assert f"format version {NEWEST_VERSION}\n" in text


def test_the_example_reads_a_map(project: Path, tmp_path: Path) -> None:
    text = (project / "docs/map_format.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    loaded = PlaceMap.load(write_map(tmp_path / "campus", {"north": places(1)}))
    output = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert output.startswith("north [[")
    assert loaded.codes is not None
    assert str(loaded.codes[0]) in output
