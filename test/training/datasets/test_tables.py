from __future__ import annotations

import math
from pathlib import Path

import pytest

from training.datasets.tables import number, read_header, read_lines
from training.errors import DatasetError


def table(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


def test_fields_stay_text_and_columns_are_found_in_any_order(tmp_path: Path) -> None:
    content = '\ufeffLat, name ,lon\r\n51.500,"a,b",-0.10\r\n\r\n1,é\r\n'
    path = table(tmp_path, content.encode())
    assert read_header(path) == ["lat", "name", "lon"]
    assert [(line.number, line.fields) for line in read_lines(path, ["lat", "lon"])] == [
        (2, {"lat": "51.500", "name": "a,b", "lon": "-0.10"}),
        (4, {"lat": "1", "name": "é", "lon": ""}),
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no column lat, lon; it has a, b"):
        list(read_lines(table(tmp_path, b"a,b\n1,2\n"), ["lat", "a", "lon"]))


def test_a_table_that_is_none_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read as a CSV: No such file"):
        read_header(tmp_path / "nothing.csv")
    with pytest.raises(DatasetError, match="is empty"):
        read_header(table(tmp_path, b""))
    with pytest.raises(DatasetError, match="cannot be read as a CSV"):
        read_header(table(tmp_path, b"\xff\xfe\x00a"))


@pytest.mark.parametrize(("separator", "named"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_named(tmp_path: Path, separator: str, named: str) -> None:
    content = separator.join(["path", "lat", "lon"]) + "\n" + separator.join(["a", "1,5", "2,5"])
    with pytest.raises(DatasetError, match=f"columns by {named}: write it with commas"):
        read_header(table(tmp_path, content.encode()))


def test_a_byte_that_is_no_text_spoils_only_its_line(tmp_path: Path) -> None:
    lines = list(read_lines(table(tmp_path, b"path\n\xff.jpg\ngood.jpg\n"), ["path"]))
    assert [line.fields["path"] for line in lines] == ["\udcff.jpg", "good.jpg"]


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-inf", "1,5"])
def test_what_is_no_finite_number_is_nan(text: str) -> None:
    assert math.isnan(number(text))


def test_numbers() -> None:
    assert number("-0.5") == -0.5
