from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.loop_closure import posed
from benchmarks.loop_closure.posed import (
    FAR,
    FRONT,
    SHAPES,
    STEPS,
    STREET,
    TURNED,
    WIDTHS,
    Pair,
    made_up_pairs,
    street_pairs,
    town_pictures,
)
from selavpr_ros.loop_closure.camera import rays

SEED = 65


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures of one street."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posed, "_STREETS", 1)
        patch.setattr(posed, "_SPACING", 12.0)
        town_pictures(SEED, folder, lambda: None)
    return folder


def nothing_rendered(*_: object) -> None:
    raise AssertionError("it was rendered")


def test_pictures_are_rendered_once(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posed, "_rendered", nothing_rendered)
    told: list[int] = []
    town = town_pictures(SEED, kept, lambda: told.append(1))
    assert len(told) == len(posed.RIDES)
    assert len(town.jpegs) == len(town.poses) == len(town.rides) == len(town.across) > 6
    assert town.across.any()
    with pytest.raises(AssertionError):
        town_pictures(SEED + 1, kept, lambda: None)


def test_pairs_of_streets_are_of_two_drives_and_near_each_other(kept: Path) -> None:
    town = town_pictures(SEED, kept, lambda: None)
    looked: list[int] = []
    pairs = list(street_pairs(town, SEED, lambda: looked.append(1)))
    assert len(looked) == len(town.jpegs)
    assert {pair.kind for pair in pairs} == {STREET, FRONT}
    assert {pair.match.features.size[0] for pair in pairs} == set(WIDTHS)
    for match, query in ((pair.match, pair.query) for pair in pairs):
        assert np.linalg.norm(match.position - query.position) <= FAR
        ahead = match.rotation[2] @ query.rotation[2]
        assert ahead > np.cos(TURNED + np.radians(10))  # pitch and roll are not counted
        assert query.features.size[0] == 512
        assert query.camera.fits(query.features.size)


def test_made_up_points_fit_their_poses() -> None:
    pairs = list(made_up_pairs(3, 2))
    assert len(pairs) == 2 * len(SHAPES) * len(STEPS)
    for pair in pairs:
        wrong = np.mean(errors(pair) > 5 / 400)
        assert wrong == pytest.approx(0.3 if "wrong" in pair.kind else 0, abs=0.15)
    again = list(made_up_pairs(3, 2))
    np.testing.assert_array_equal(pairs[0].query.features.points, again[0].query.features.points)


def errors(pair: Pair) -> np.ndarray:
    """How far rays of one and the same point are from a common plane with both cameras."""
    match, query = pair.match, pair.query
    rows = {look.tobytes(): row for row, look in enumerate(match.features.descriptors)}
    common = [
        (rows[look.tobytes()], row)
        for row, look in enumerate(query.features.descriptors)
        if look.tobytes() in rows
    ]
    first, second = np.array(common).T
    seen, then = (
        np.column_stack(
            [rays(view.camera, view.features.points[at], view.features.size), np.ones(len(at))]
        )
        for view, at in ((match, first), (query, second))
    )
    turned = then @ (match.rotation @ query.rotation.T).T
    way = match.rotation @ (query.position - match.position)
    normals = np.cross(way, turned)
    return np.asarray(
        np.abs((normals * seen).sum(axis=1)) / np.linalg.norm(normals, axis=1).clip(1e-9)
    )
