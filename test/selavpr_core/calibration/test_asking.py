from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.calibration import ask_drive, ask_own_places, choose_thresholds
from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_core.retrieval import Localizer, Mode, margin

from .worlds import MODEL, road, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="module")
def once(folder: Path) -> PlaceMap:
    """A road of 1.2 km, driven along once."""
    return write(folder / "once", {"first": road(0, 1200)})


@pytest.fixture(scope="module")
def twice(folder: Path) -> PlaceMap:
    return write(folder / "twice", {"first": road(0, 1200), "second": road(2, 1200, 5.0, 1.5)})


def without(place_map: PlaceMap, hidden: NDArray[np.bool_], path: Path) -> PlaceMap:
    """A map on disk that does not have the hidden places at all; they keep their numbers' order."""
    left = np.flatnonzero(~hidden)
    assert place_map.codes is not None
    with MapWriter(path, MODEL, None) as writer, writer.segment("rest", "") as segment:
        segment.add(
            np.concatenate(place_map.codes)[left], place_map.gather(left),
            positions=place_map.positions[left], headings=place_map.headings[left],
            heading_sigmas=place_map.heading_sigmas[left],
            position_sigmas=place_map.position_sigmas[left], stamps=place_map.stamps[left],
        )  # fmt: skip
    return PlaceMap.load(path)


def expected(
    place_map: PlaceMap,
    drive: PlaceMap,
    number: int,
    hidden: NDArray[np.bool_],
    mode: Mode,
    candidates: int,
    path: Path,
) -> tuple[float, float, float]:
    """Similarity, margin and distance of the answer of a map that never had the hidden places."""
    rest = without(place_map, hidden, path)
    assert drive.codes is not None
    code, descriptor = np.concatenate(drive.codes)[number], drive.gather([number])[0]
    matches = Localizer(rest, mode, candidates).localize(code, descriptor)
    off = rest.positions[matches[0].place] - drive.positions[number]
    return matches[0].similarity, margin(matches, rest.positions), math.hypot(*off[:2])


@pytest.mark.parametrize("mode", ["two-stage", "code", "float"])
def test_answers_are_those_of_maps_without_the_hidden_places(
    once: PlaceMap, folder: Path, tmp_path: Path, mode: Mode
) -> None:
    drive = write(folder / f"drive-{mode}", {"third": road(300, 420, 10.0, 1.0)}, [9])
    asked = ask_drive(once, drive, mode, candidates=12)
    answers = asked.answers
    assert asked.kind == "drive"
    assert list(answers.inside) == [True, False] * 12
    for row in range(0, 24, 5):
        number = row // 2
        distances = np.hypot(*(once.positions - drive.positions[number])[:, :2].T)
        hidden = (distances <= 100) & (row % 2 == 1)
        similarity, lead, off = expected(once, drive, number, hidden, mode, 12, tmp_path / str(row))
        assert answers.similarities[row] == similarity
        assert answers.margins[row] == lead
        assert answers.right[row] == (row % 2 == 0 and off <= 25)


def test_one_candidate_has_no_margin(once: PlaceMap, folder: Path) -> None:
    """It is ahead of no other, however sure it seems."""
    drive = write(folder / "alone", {"third": road(0, 1200, 4.0, 1.0)}, [9])
    answers = ask_drive(once, drive, candidates=1).answers
    assert not answers.margins.any()
    assert choose_thresholds(answers, 0.9).margin == 0
    assert ask_drive(once, drive, candidates=2).answers.margins.max() > 0


def test_places_passed_once_are_asked_for_by_their_neighbours(
    once: PlaceMap, tmp_path: Path
) -> None:
    asked = ask_own_places(once, candidates=12)
    answers = asked.answers
    assert asked.kind == "neighbours"
    assert asked.left_out == 0
    assert answers.inside.sum() == len(once)
    assert len(answers) == 2 * len(once)
    assert answers.right[answers.inside].mean() > 0.9
    assert not answers.right[~answers.inside].any()
    for number in (0, 150):
        distances = np.abs(once.positions[:, 0] - once.positions[number, 0])
        for row, hidden in ((2 * number, distances <= 2.5), (2 * number + 1, distances <= 100)):
            similarity, lead, _ = expected(
                once, once, number, hidden, "two-stage", 12, tmp_path / str(row)
            )
            assert (answers.similarities[row], answers.margins[row]) == (similarity, lead)


def test_each_drive_is_asked_for_among_the_others(twice: PlaceMap, tmp_path: Path) -> None:
    """Were the drive itself in the map, its own light would give it away."""
    asked = ask_own_places(twice, candidates=12)
    answers = asked.answers
    assert asked.kind == "sessions"
    assert answers.inside.sum() == len(twice)
    second = np.arange(len(twice)) >= twice.segments[0].count
    row = 2 * 400
    similarity, lead, _ = expected(twice, twice, 400, second, "two-stage", 12, tmp_path / "rest")
    assert (answers.similarities[row], answers.margins[row]) == (similarity, lead)
    firsts = answers.stretches[: 2 * twice.segments[0].count]
    assert not np.intersect1d(firsts, answers.stretches[2 * twice.segments[0].count :]).size


def test_bags_of_one_drive_are_one_drive(folder: Path) -> None:
    """Recorded one after the other: what the second shows is not another drive's."""
    split = {"a": road(0, 500), "b": road(500, 1200)}
    asked = ask_own_places(write(folder / "split", split, [0, 135 / 3600]))
    assert asked.kind == "neighbours"
    # An hour later it would be, but it passes nothing that the first has.
    assert ask_own_places(write(folder / "later", split, [0, 5])).kind == "neighbours"


def test_drives_at_the_same_time_in_different_places_are_asked_for_among_each_other(
    folder: Path,
) -> None:
    """Two runs of a simulation whose clock starts at 0, of which one is faster."""
    runs = {"slow": road(0, 1200), "fast": road(0, 1200, 5.0, 1.5)}
    both = write(folder / "runs", runs, [0, 0])
    asked = ask_own_places(both)
    assert asked.kind == "sessions"
    assert asked.answers.inside.sum() == len(both)


def test_two_cameras_of_one_drive_are_not_asked_for_among_each_other(folder: Path) -> None:
    """What the other saw in the same light at the same moment is no second drive."""
    cameras = {"left": road(0, 1200), "right": road(0, 1200)}
    both = write(folder / "cameras", cameras, [0, 0])
    assert ask_own_places(both).kind == "neighbours"


def test_a_drive_that_comes_back_is_asked_for_its_return(folder: Path, tmp_path: Path) -> None:
    lap = road(0, 1200)
    elsewhere = lap + np.array([1200.0, 300.0, 0.0])
    laps = write(folder / "laps", {"laps": np.concatenate([lap, elsewhere, lap])})
    asked = ask_own_places(laps, candidates=12)
    answers = asked.answers
    assert asked.kind == "revisits"
    assert answers.inside.sum() == 2 * len(lap)
    number = 150
    along = np.abs(np.arange(len(laps)) - number) * 4.0
    distances = np.hypot(*(laps.positions - laps.positions[number])[:, :2].T)
    similarity, lead, off = expected(
        laps, laps, number, (along <= 100) & (distances <= 100), "two-stage", 12, tmp_path / "rest"
    )
    row = 2 * number
    assert (answers.similarities[row], answers.margins[row]) == (similarity, lead)
    assert answers.right[row] == (off <= 25)


def test_frames_beyond_the_map_are_from_outside_as_they_are(once: PlaceMap, folder: Path) -> None:
    drive = write(folder / "beyond", {"third": road(1000, 1600, 10.0)}, [9])
    asked = ask_drive(once, drive)
    # Inside as far as a place is within 25 m; then, up to 100 m, neither in nor out of the map.
    inside = np.count_nonzero(drive.positions[:, 0] <= once.positions[-1, 0] + 25)
    outside = np.count_nonzero(drive.positions[:, 0] > once.positions[-1, 0] + 100)
    assert asked.answers.inside.sum() == inside
    assert (~asked.answers.inside).sum() == inside + outside
    assert asked.left_out == len(drive) - inside - outside


def test_the_other_way_is_not_what_a_query_sees(once: PlaceMap, folder: Path) -> None:
    back = write(folder / "back", {"third": road(1200, 0)}, [9], headings=np.pi)
    asked = ask_drive(once, back)
    assert len(asked.answers) == 0
    assert asked.left_out == len(back)
    nobody_knows = write(folder / "unknown", {"third": road(1200, 0)}, [9], headings=np.nan)
    assert ask_drive(once, nobody_knows).answers.inside.sum() == len(nobody_knows)


def test_the_bag_that_made_the_map_does_not_find_itself(once: PlaceMap, folder: Path) -> None:
    same = write(folder / "copy" / "once", {"first": road(0, 1200)})
    asked = ask_drive(once, same)
    assert asked.answers.inside.sum() == 0
    assert asked.own == ("first",)


def test_a_bag_that_part_of_the_map_is_made_of_is_asked_for_among_the_rest(
    twice: PlaceMap, folder: Path, tmp_path: Path
) -> None:
    first = write(folder / "same" / "twice", {"first": road(0, 1200)})
    asked = ask_drive(twice, first, candidates=12)
    assert asked.own == ("first",)
    assert asked.answers.inside.sum() == len(first)
    own = np.arange(len(twice)) < len(first)
    similarity, lead, _ = expected(twice, first, 100, own, "two-stage", 12, tmp_path / "rest")
    assert (asked.answers.similarities[200], asked.answers.margins[200]) == (similarity, lead)


def test_another_drive_may_have_the_stamps_of_the_map(once: PlaceMap, folder: Path) -> None:
    """A simulation's clock starts at 0, and so does that of a bag whose stamps are made up."""
    for name, track in (("other", road(0, 1200)), ("faster", road(0, 1200, 5.0, 1.5))):
        drive = write(folder / "at-once" / name, {name: track})
        asked = ask_drive(once, drive)
        assert asked.own == ()
        assert asked.answers.inside.sum() == len(drive)


def test_a_map_that_is_all_around_is_not_asked(folder: Path) -> None:
    hall = write(folder / "hall", {"a": road(0, 60, 0.5), "b": road(0, 60, 0.5, 0.3)})
    asked = ask_own_places(hall)
    assert len(asked.answers) == 0
    assert asked.left_out == asked.crowded == len(hall)
    assert ask_own_places(hall, radius=3.0).answers.inside.sum() == len(hall)


def test_an_empty_map_gives_no_answers(folder: Path, once: PlaceMap) -> None:
    empty = write(folder / "empty", {})
    assert len(ask_own_places(empty).answers) == 0
    assert len(ask_drive(empty, once).answers) == 0
    assert len(ask_drive(once, empty).answers) == 0


def test_progress_is_told_to_the_end(twice: PlaceMap) -> None:
    told: list[tuple[int, int]] = []
    asked = ask_own_places(twice, progress=lambda done, total: told.append((done, total)))
    total = len(asked.answers)
    assert told == [(done, total) for done in range(1, total + 1)]


def test_a_long_map_is_asked_for_some_of_its_places(
    once: PlaceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selavpr_core.calibration.asking._MOST_QUERIES", 120)
    answers = ask_own_places(once).answers
    assert answers.inside.sum() == 100  # every third of 300


@pytest.mark.parametrize("source", ["own places", "a drive"])
def test_thresholds_hold_on_a_drive_that_was_held_back(folder: Path, source: str) -> None:
    """The map has two drives of a road, and is asked where a third and a fourth are."""
    name = source.replace(" ", "-")
    roads = {"a": road(0, 1700), "b": road(1, 1700, 4.0, 1.0)}
    place_map = write(folder / f"map-{name}", roads, noise=1.0)
    third = write(folder / f"third-{name}", {"c": road(2, 2000, 4.0, -1.0)}, [9], noise=1.0)
    fourth = write(folder / f"fourth-{name}", {"d": road(3, 2000, 4.0, 0.5)}, [20], noise=1.0)
    asked = ask_own_places(place_map) if source == "own places" else ask_drive(place_map, third)
    choice = choose_thresholds(asked.answers, 0.99)
    assert choice.reached
    held_back = ask_drive(place_map, fourth).answers
    counts = (held_back.similarities >= choice.similarity) & (held_back.margins >= choice.margin)
    assert held_back.right[counts].mean() >= 0.97
    assert held_back.right[counts].sum() / held_back.inside.sum() > 0.5
