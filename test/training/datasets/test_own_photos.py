from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from test.training.datasets.trees import save_image
from training.datasets.own_photos import OwnPhotos
from training.datasets.source import NO_POSITION, UNREADABLE, Candidate, Excluded
from training.errors import DatasetError


def photo(path: Path, gps: dict[int, object], taken: str = "") -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    if taken:
        exif.get_ifd(ExifTags.IFD.Exif)[0x9003] = taken
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3)).save(path, exif=exif)
    return path


def position(
    latitude: tuple[float, ...], north: str, longitude: tuple[float, ...], east: str
) -> dict:
    return {1: north, 2: latitude, 3: east, 4: longitude}


HERE = position((48.0, 30.0, 36.0), "N", (11.0, 15.0, 0.0), "E")


def only(root: Path) -> Candidate | Excluded:
    (entry,) = OwnPhotos(root, "yard").entries()
    return entry


def test_position_direction_and_date(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "1.jpg", {**HERE, 16: "T", 17: 123.5}, "2024:05:06 10:11:12")
    entry = only(tmp_path)
    assert isinstance(entry, Candidate)
    assert (entry.path, entry.city, entry.date) == ("a/1.jpg", "yard", "2024-05")
    assert entry.latitude == pytest.approx(48.51, abs=1e-9)
    assert entry.longitude == pytest.approx(11.25, abs=1e-9)
    assert entry.heading == 123.5


def test_south_and_west_are_negative(tmp_path: Path) -> None:
    photo(tmp_path / "1.jpg", position((33.0, 30.0, 0.0), "S", (70.0, 0.0, 0.0), "W"))
    entry = only(tmp_path)
    assert isinstance(entry, Candidate)
    assert (entry.latitude, entry.longitude) == (-33.5, -70.0)


@pytest.mark.parametrize("direction", [None, IFDRational(0, 0)])
def test_without_a_direction_there_is_no_heading(tmp_path: Path, direction: object) -> None:
    photo(tmp_path / "1.jpg", HERE if direction is None else {**HERE, 17: direction})
    entry = only(tmp_path)
    assert isinstance(entry, Candidate)
    assert math.isnan(entry.heading)


@pytest.mark.parametrize(
    "gps",
    [{}, {2: (48.0, 30.0, 36.0)}, {**HERE, 2: (IFDRational(0, 0), 0.0, 0.0)}],
)
def test_without_a_position_an_image_is_left_out(tmp_path: Path, gps: dict[int, object]) -> None:
    photo(tmp_path / "1.jpg", gps)
    entry = only(tmp_path)
    assert isinstance(entry, Excluded)
    assert (entry.reason, entry.faulty) == (NO_POSITION, False)


def test_what_is_no_image_is_reported(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"not an image")
    whole = photo(tmp_path / "2.jpg", HERE).read_bytes()
    (tmp_path / "2.jpg").write_bytes(whole[:60])
    for entry in OwnPhotos(tmp_path, "yard").entries():
        assert isinstance(entry, Excluded)
        assert (entry.reason, entry.faulty) == (UNREADABLE, True)


def test_any_damage_to_the_header_is_reported_or_read(tmp_path: Path) -> None:
    whole = photo(tmp_path / "1.jpg", {**HERE, 17: 10.0}).read_bytes()
    for place in range(0, 200, 3):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "1.jpg").write_bytes(damaged)
        assert only(tmp_path).path == "1.jpg"


def test_an_image_that_is_too_large_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "1.jpg", HERE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)  # it refuses twice as many: 4 x 3
    entry = only(tmp_path)
    assert isinstance(entry, Excluded)
    assert (entry.reason, entry.faulty) == (UNREADABLE, True)


def test_a_png_without_exif_has_no_position(tmp_path: Path) -> None:
    save_image(tmp_path / "1.png")
    assert isinstance(only(tmp_path), Excluded)


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder of images"):
        OwnPhotos(save_image(tmp_path / "1.jpg"), "x")
