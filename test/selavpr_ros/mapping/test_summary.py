from __future__ import annotations

import json

import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import ModelInfo
from selavpr_ros.mapping.summary import BagSummary, MapSummary, human_size
from selavpr_ros.mapping.track import Drop

SECOND = 1_000_000_000


def bag(name: str = "/bags/drive.mcap") -> BagSummary:
    summary = BagSummary(name, segment="drive", kept=3, near=2, track_length=81.4)
    for i in range(10):
        summary.saw((1_700_000_000 + 40 * i) * SECOND)
    summary.headings.update(track=2, unknown=1)
    summary.dropped.update({Drop.GAP.value: 3, Drop.NO_FIX.value: 1})
    summary.could_not_decode(1_700_000_040 * SECOND, "no JPEG")
    return summary


def summary_of(*bags: BagSummary, pretrained: bool = True, datum: bool = True) -> MapSummary:
    return MapSummary(
        map="campus",
        places=103,
        segments=4,
        size_bytes=12_345_678,
        model=ModelInfo("0123456789abcdef" * 4, "base", "base", pretrained, 2048, 64),
        device="cpu",
        precision="fp32",
        datum=Datum.at(-33.9, 18.4, 12.0) if datum else None,
        bags=list(bags),
        seconds=12.34,
    )


def test_the_table_has_a_row_a_bag_and_a_total() -> None:
    lines = summary_of(bag(), bag("b")).table().splitlines()
    head = lines[0].split()
    assert head[:4] == ["bag", "frames", "kept", "near"]
    assert " ".join(lines[1].split()) == "drive.mcap 10 3 2 1 0 3 0 1 81 m 0:06:00"
    assert " ".join(lines[3].split()) == "total 20 6 4 2 0 6 0 2 163 m 0:12:00"
    assert len({len(line) for line in lines[:4]}) == 1


def test_the_table_names_what_made_the_map() -> None:
    text = summary_of(bag()).table()
    assert "campus: 103 places in 4 segments, 12.3 MB" in text
    assert "fingerprint 0123456789abcdef" in text
    assert "UTM zone 34S" in text
    assert "2023-11-14 22:13:20 to 2023-11-14 22:19:20 UTC" in text
    assert "2 track, 1 unknown" in text
    assert "total" not in text
    assert "UNTRAINED" not in text
    assert "UNTRAINED" in summary_of(bag(), pretrained=False).table()
    assert "none: the frame is the poses' own" in summary_of(bag(), datum=False).table()


def test_json_has_the_same_numbers() -> None:
    failed = BagSummary("c", error="c: no such bag")
    said = json.loads(json.dumps(summary_of(bag(), bag("b"), failed).to_json(), allow_nan=False))
    assert (said["frames"], said["kept"], said["near"], said["corrupt"]) == (20, 6, 4, 2)
    assert said["dropped"] == {"no_fix": 2, "covariance": 0, "gap": 6, "outside_track": 0}
    assert said["track_length"] == pytest.approx(162.8)
    assert said["fingerprint"] == "0123456789abcdef" * 4
    assert said["datum"]["zone"] == 34
    assert said["bags"][0]["corrupt_stamps"] == [1_700_000_040 * SECOND]
    assert said["bags"][2]["error"] == "c: no such bag"


def test_only_the_first_corrupt_images_are_named() -> None:
    summary = BagSummary("bag")
    for i in range(100):
        summary.could_not_decode(i * SECOND, "broken")
    assert summary.corrupt == 100
    assert summary.corrupt_stamps == [i * SECOND for i in range(5)]
    assert len(summary.warnings) == 5


def test_warnings_are_not_repeated() -> None:
    summary = BagSummary("bag")
    for _ in range(3):
        summary.warn("the file is truncated")
    assert summary.warnings == ["the file is truncated"]


def test_reasons_in_words() -> None:
    assert bag().dropped_in_words() == "1 without a fix, 3 in a gap between fixes (--max-gap)"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (4.5e9, "4.50 GB"),
    ],
)
def test_sizes(count: float, expected: str) -> None:
    assert human_size(count) == expected
