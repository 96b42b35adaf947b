from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import MapError
from selavpr_core.place_map import Calibration, MapWriter, ModelInfo, PlaceMap
from selavpr_core.place_map.pruning import PruningSettings, find_stand_ins, prune_map
from test.selavpr_core.place_map.maps import CAMERA, LUND, MODEL, places, tree, write_map

RULES = PruningSettings(distance=5.0, heading=math.radians(30), similarity=0.6)
CODES = replace(MODEL, descriptor_dim=None, code_bytes=8)


def street(count: int, seed: int, model: ModelInfo = MODEL, dense: float = 8.0) -> dict[str, Any]:
    """Places at random in a small yard, each looking much like one of four views."""
    rng = np.random.default_rng(seed)
    contents = places(count, seed, model)
    contents["positions"][:, :2] = rng.uniform(0, dense, (count, 2))
    contents["headings"] = rng.choice([0.0, 0.4, 3.1, -3.1, np.nan], count)
    views = rng.integers(0, 4, count)
    if model.descriptor_dim is not None:
        means = rng.standard_normal((4, model.descriptor_dim))
        descriptors = means[views] + 0.6 * rng.standard_normal((count, model.descriptor_dim))
        lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
        contents["descriptors"] = descriptors / lengths
    if model.code_bytes is not None:
        bits = rng.integers(0, 2, (4, 8 * model.code_bytes))[views]
        flipped = rng.uniform(size=bits.shape) < 0.1
        contents["codes"] = np.packbits(bits ^ flipped, axis=1).astype(np.uint8)
    return contents


def can_stand_for(place_map: PlaceMap, one: int, other: int, rules: PruningSettings) -> bool:
    if one == other:
        return True
    a, b = place_map.positions[one], place_map.positions[other]
    if math.dist(a[:2], b[:2]) > rules.distance:
        return False
    turn = float(place_map.headings[one]) - float(place_map.headings[other])
    if abs(math.remainder(turn, 2 * math.pi)) > rules.heading:  # False for NaN
        return False
    if place_map.model.descriptor_dim is not None:
        first, second = place_map.gather([one])[0], place_map.gather([other])[0]
    else:
        assert place_map.codes is not None
        codes = np.concatenate(place_map.codes)[[one, other]]
        first, second = 2.0 * np.unpackbits(codes, axis=1) - 1
    cosine = float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))
    return cosine >= rules.similarity


def greedy(place_map: PlaceMap, rules: PruningSettings) -> list[int]:
    """The same choice by looking at everything again after each step."""
    count = len(place_map)
    like = [[can_stand_for(place_map, i, j, rules) for j in range(count)] for i in range(count)]
    stand_ins = [-1] * count
    sigmas = np.nan_to_num(place_map.position_sigmas, nan=np.inf)
    while -1 in stand_ins:
        gains = [sum(like[i][j] and stand_ins[j] < 0 for j in range(count)) for i in range(count)]
        best = min(range(count), key=lambda i: (-gains[i], sigmas[i], i))
        for j in range(count):
            if like[best][j] and stand_ins[j] < 0:
                stand_ins[j] = best
        stand_ins[best] = best
    return stand_ins


@pytest.mark.parametrize("model", [MODEL, CODES], ids=["descriptors", "codes"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_is_the_greedy_one(tmp_path: Path, model: ModelInfo, seed: int) -> None:
    halves = {"a": street(25, seed, model), "b": street(20, seed + 50, model)}
    place_map = PlaceMap.load(write_map(tmp_path / "map", halves, model))
    chosen = find_stand_ins(place_map, RULES)
    assert chosen.tolist() == greedy(place_map, RULES)
    assert 5 < len(set(chosen.tolist())) < 40


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 1000),
    distance=st.floats(0.5, 30),
    similarity=st.floats(-1, 1),
)
def test_each_place_has_a_stand_in_that_stays(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    seed: int,
    distance: float,
    similarity: float,
) -> None:
    folder = tmp_path_factory.mktemp("map")
    place_map = PlaceMap.load(write_map(folder, {"a": street(count, seed)}))
    rules = PruningSettings(distance, math.radians(40), similarity)
    # Cosines of float16 rows are not summed up in the oracle's order.
    loose = replace(rules, similarity=similarity - 1e-4) if similarity > -0.99 else rules
    stand_ins = find_stand_ins(place_map, rules).tolist()
    for place, stand_in in enumerate(stand_ins):
        assert stand_ins[stand_in] == stand_in
        assert can_stand_for(place_map, stand_in, place, loose)


def test_what_faces_another_way_or_looks_different_stays(tmp_path: Path) -> None:
    contents = places(6, 3)
    contents["positions"][:] = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 9], [40, 0, 0], [3, 1, 0]]
    contents["headings"][:] = [0, 0, math.pi, np.nan, 0, 0]
    contents["descriptors"][:5] = contents["descriptors"][0]  # and the last is another view
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}))
    chosen = find_stand_ins(place_map, PruningSettings(5, math.radians(30), 0.9)).tolist()
    # The one of unknown heading can stand for all that lie near; heights do not count.
    assert chosen == [3, 3, 3, 3, 4, 5]


def test_the_new_map_holds_what_stays_and_nothing_else(tmp_path: Path) -> None:
    contents = {"a": street(30, 1), "lone": places(3, 9), "b": street(30, 2)}
    contents["lone"]["positions"] += 1000
    source = write_map(tmp_path / "old", contents)
    told: list[int] = []
    pruned = prune_map(source, tmp_path / "new", RULES, told.append)
    old, new = PlaceMap.load(source), PlaceMap.load(tmp_path / "new")
    assert sum(told) == len(old) == 63
    kept = pruned.kept
    assert 5 < len(kept) == len(new) < 60
    assert np.array_equal(new.gather(range(len(new))), old.gather(kept))
    assert old.codes is not None
    assert new.codes is not None
    assert np.array_equal(np.concatenate(new.codes), np.concatenate(old.codes)[kept])
    for name in ("positions", "headings", "heading_sigmas", "position_sigmas", "stamps"):
        np.testing.assert_array_equal(getattr(new, name), getattr(old, name)[kept])
    assert [new.thumbnail(i) for i in range(len(new))] == [old.thumbnail(i) for i in kept]
    assert [s.name for s in new.segments] == ["a", "lone", "b"]
    for was, (segment, numbers) in zip(old.segments, new.numbered_segments(), strict=True):
        stamps = new.stamps[numbers.start : numbers.stop]
        assert (segment.source, segment.created) == (was.source, was.created)
        assert (segment.first_stamp, segment.last_stamp) == (stamps.min(), stamps.max())
    assert (new.model, new.datum) == (old.model, old.datum)
    # What keeps all of its places is the same file.
    lone = "segments/lone.safetensors"
    assert (tmp_path / "new" / lone).samefile(source / lone)
    assert len(PlaceMap.load(source)) == 63


def test_a_segment_that_others_stand_for_is_gone(tmp_path: Path) -> None:
    twice = {"first": places(4, 1), "again": places(4, 1)}
    for contents in twice.values():
        contents["position_sigmas"][:] = 1.0
    source = write_map(tmp_path / "old", twice)
    pruned = prune_map(source, tmp_path / "new", PruningSettings(1.0, 0.1, 0.99))
    assert pruned.stand_ins.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    new = PlaceMap.load(tmp_path / "new")
    assert [s.name for s in new.segments] == ["first"]
    assert tree(tmp_path / "new") - {".lock"} == {
        "map.json", "segments/first.safetensors", "thumbnails/first.safetensors",
    }  # fmt: skip


def test_the_calibration_is_kept(tmp_path: Path) -> None:
    found = Calibration(
        similarity=0.6, margin=0.1, wanted_precision=0.99, precision=1.0, precision_bound=0.99,
        recall=0.9, queries=400, outside=400, radius=25.0, mode="two-stage", candidates=100,
        places=30, source="a second drive", created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    source = write_map(tmp_path / "old", {"a": street(30, 1)})
    with MapWriter(source, MODEL, LUND) as writer:
        writer.set_calibration(found)
    prune_map(source, tmp_path / "new", RULES)
    new = PlaceMap.load(tmp_path / "new")
    assert len(new) < found.places
    assert new.calibration == found


def test_cameras_are_kept(tmp_path: Path) -> None:
    """Of segments that are linked as of those that are written anew."""
    lone = places(3, 9)
    lone["positions"] += 1000
    source = write_map(tmp_path / "old", {"a": street(30, 1), "lone": lone}, camera=CAMERA)
    prune_map(source, tmp_path / "new", RULES)
    segments = PlaceMap.load(tmp_path / "new").segments
    assert [segment.camera for segment in segments] == [CAMERA, CAMERA]
    assert segments[0].count < 30
    assert segments[1].count == 3


def test_thumbnails_that_were_left_behind_are_not_missed(tmp_path: Path) -> None:
    source = write_map(tmp_path / "old", {"a": street(30, 1)})
    (source / "thumbnails" / "a.safetensors").unlink()
    prune_map(source, tmp_path / "new", RULES)
    new = PlaceMap.load(tmp_path / "new")
    assert 0 < len(new) < 30
    assert new.thumbnail(0) is None


def test_an_empty_map_stays_empty(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "old", MODEL, LUND):
        pass
    assert len(prune_map(tmp_path / "old", tmp_path / "new").kept) == 0
    assert len(PlaceMap.load(tmp_path / "new")) == 0


def test_the_output_must_be_new_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    source = write_map(tmp_path / "old", {"a": places(3)})
    before = tree(source)
    with pytest.raises(MapError, match="exists already"):
        prune_map(source, source)
    assert tree(source) == before

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune_map(source, tmp_path / "new", RULES, fail)
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"distance": 0.0}, {"distance": math.nan}, {"heading": -1.0}, {"heading": 4.0},
        {"similarity": 1.1}, {"similarity": math.nan},
    ],
    ids=str,
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MapError):
        PruningSettings(**wrong)
