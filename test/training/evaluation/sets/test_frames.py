from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DatasetError, EvaluationError
from training.evaluation import EvaluationSet, load_set

from ...datasets.trees import save_images


def frames(folder: Path, numbers: range) -> None:
    save_images(folder, [f"{n:07d}.jpg" for n in numbers])


def positives(found: EvaluationSet) -> list[list[int]]:
    return [p.tolist() for p in found.positives]


@pytest.mark.parametrize(
    ("database", "queries"),
    [("summer", "winter"), ("ref", "query"), ("images/test/database", "images/test/queries")],
)
def test_nordland_a_is_every_frame_within_ten(tmp_path: Path, database: str, queries: str) -> None:
    frames(tmp_path / database, range(30))
    frames(tmp_path / queries, range(30))
    found = load_set("nordland-a", tmp_path)
    assert len(found.queries) == 30
    assert found.rule == "10 frames"
    assert positives(found)[0] == list(range(11))
    assert positives(found)[15] == list(range(5, 26))
    assert "Nordland A" in found.variant
    assert "published with 27,592 database images and 27,592 queries" in found.variant
    # The tolerance is that of 25 m at 2.381 m a frame.
    assert found.query_positions is not None
    assert found.database_positions is not None
    near = abs(found.database_positions[:, 0] - found.query_positions[15, 0]) <= 25
    assert near.nonzero()[0].tolist() == positives(found)[15]


def test_nordland_b_is_every_tenth_frame_within_one(tmp_path: Path) -> None:
    frames(tmp_path / "summer", range(25))
    frames(tmp_path / "winter", range(25))
    found = load_set("nordland-b", tmp_path)
    assert [p.name for p in found.queries] == ["0000000.jpg", "0000010.jpg", "0000020.jpg"]
    assert positives(found) == [[0, 1], [9, 10, 11], [19, 20, 21]]
    assert found.rule == "1 frame"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (range(4, 25, 10), [[3, 4, 5], [13, 14, 15], [23, 24]]),  # names that the database has
        (range(100, 103), [[0, 1], [9, 10, 11], [19, 20, 21]]),  # others: every tenth in order
    ],
)
def test_nordland_b_with_the_queries_alone(
    tmp_path: Path, numbers: range, expected: list[list[int]]
) -> None:
    frames(tmp_path / "summer", range(25))
    frames(tmp_path / "winter", numbers)
    assert positives(load_set("nordland-b", tmp_path)) == expected


def test_nordland_c_is_the_same_frame_within_two(tmp_path: Path) -> None:
    frames(tmp_path / "summer", range(8))
    frames(tmp_path / "winter", range(100, 108))
    found = load_set("nordland-c", tmp_path)
    assert positives(found)[4] == [2, 3, 4, 5, 6]
    assert found.rule == "2 frames"


def test_a_frame_that_is_missing_on_each_side_is_noted(tmp_path: Path) -> None:
    """Between the two gaps, the frames of one order are not those of one number."""
    frames(tmp_path / "summer", range(12))
    frames(tmp_path / "winter", range(12))
    for set_name in ("nordland-a", "sped"):
        assert "missing" not in load_set(set_name, tmp_path).variant
    (tmp_path / "summer" / "0000003.jpg").unlink()
    (tmp_path / "winter" / "0000007.jpg").unlink()
    for set_name in ("nordland-a", "sped"):
        assert "is one missing on each side?" in load_set(set_name, tmp_path).variant


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Numbers without zeros before them: as text, 100 comes before 20."""
    for layout, name in (("numbers", "{}.jpg"), ("positions", "@0@{:.1f}@@@@@x@@@@@@@@.jpg")):
        root = tmp_path / layout
        for side in ("summer", "winter"):
            save_images(root / side, [name.format(20 * n) for n in range(12)])
        found = load_set("nordland-a", root)
        assert list(found.query_keys) == [name.format(20 * n) for n in range(12)]


def test_a_list_of_clean_frames_is_followed(tmp_path: Path) -> None:
    frames(tmp_path / "summer", range(10))
    frames(tmp_path / "winter", range(10))
    (tmp_path / "cleanImageNames.txt").write_text("0000002.jpg\n0000005.jpg\n")
    found = load_set("nordland-a", tmp_path)
    assert list(found.database_keys) == ["0000002.jpg", "0000005.jpg"]
    assert list(found.query_keys) == ["0000002.jpg", "0000005.jpg"]


def test_sped_is_the_same_number(tmp_path: Path) -> None:
    frames(tmp_path / "ref", range(5))
    frames(tmp_path / "query", range(5))
    found = load_set("sped", tmp_path)
    assert positives(found) == [[0], [1], [2], [3], [4]]
    assert found.rule == "same frame"
    assert found.database_positions is None


def test_which_nordland_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"nordland-a .*nordland-b .*nordland-c"):
        load_set("nordland", tmp_path)


def test_frames_have_no_radius(tmp_path: Path) -> None:
    frames(tmp_path / "summer", range(3))
    frames(tmp_path / "winter", range(3))
    with pytest.raises(EvaluationError, match="counts frames"):
        load_set("nordland-a", tmp_path, radius=10)


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    frames(tmp_path / "summer", range(3))
    with pytest.raises(DatasetError, match="summer and winter"):
        load_set("nordland-a", tmp_path)
    frames(tmp_path / "winter", range(2))
    with pytest.raises(DatasetError, match="3 database images and 2 queries"):
        load_set("nordland-a", tmp_path)


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="did you mean nordland-a"):
        load_set("nordlanda", tmp_path)
    with pytest.raises(DatasetError, match="is no folder"):
        load_set("sped", tmp_path / "no")
