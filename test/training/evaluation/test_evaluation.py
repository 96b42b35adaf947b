from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from selavpr_core.describer import Describer
from selavpr_core.errors import SelaVPRError
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer
from training.errors import EvaluationError
from training.evaluation import (
    EvaluationResult,
    EvaluationSet,
    EvaluationSettings,
    evaluate,
    validation_recalls,
)

from ...selavpr_core.lively import lively_model
from ...selavpr_core.place_map.maps import places, write_map
from .fakes import CODE_BYTES, DIM, FakeDescriber, write_image


def image_set(
    folder: Path, database: list[int], queries: list[int], positives: list[list[int]], **more: Any
) -> EvaluationSet:
    """Return a set of images that stand for numbers."""
    paths = [
        [write_image(folder / what / f"{i}.png", n) for i, n in enumerate(numbers)]
        for what, numbers in (("database", database), ("queries", queries))
    ]
    return EvaluationSet(
        name="numbers",
        variant="made by a test",
        database=paths[0],
        queries=paths[1],
        positives=[np.array(right, np.int64) for right in positives],
        database_positions=None,
        query_positions=None,
        rule="by number",
        database_keys=[f"d{i}" for i in range(len(database))],
        query_keys=[f"q{i}" for i in range(len(queries))],
        **{"count_without_positives": True, **more},
    )


def evaluated(
    evaluation_set: EvaluationSet, cache: Path, describer: Any = None, **settings: Any
) -> EvaluationResult:
    defaults = {"ns": (1, 2, 5), "latency_queries": 0, "progress": False, "workers": 2}
    return evaluate(
        describer or FakeDescriber(),
        evaluation_set,
        EvaluationSettings(cache=cache, **{**defaults, **settings}),
    )


def along(angle: float) -> np.ndarray:
    """A descriptor in a plane, so that cosines are known."""
    values = np.zeros(DIM)
    values[:2] = math.cos(angle), math.sin(angle)
    return values


def with_bits(count: int) -> list[int]:
    """A code that is `count` bits from zero."""
    return np.packbits(np.arange(8 * CODE_BYTES) < count).tolist()


# Three places. By descriptor query 10 is nearest to 0, 1, 2 in this order, by code to 2, 1, 0.
KNOWN = FakeDescriber(
    vectors={0: along(0.1), 1: along(0.5), 2: along(1.0), 10: along(0), 11: along(1.1)},
    codes={0: with_bits(30), 1: with_bits(20), 2: with_bits(10), 10: with_bits(0), 11: [255] * 8},
)


def test_each_mode_finds_what_is_known_by_construction(tmp_path: Path) -> None:
    known = image_set(tmp_path, [0, 1, 2], [10, 11], [[0], [0]])
    result = evaluated(known, tmp_path / "cache", KNOWN, candidates=(1, 2, 3))
    rankings = {name: mode.rankings.tolist() for name, mode in result.modes.items()}
    assert rankings == {
        "float": [[0, 1, 2, -1, -1], [2, 1, 0, -1, -1]],
        "code": [[2, 1, 0, -1, -1], [0, 1, 2, -1, -1]],
        "two-stage-1": [[2, -1, -1, -1, -1], [0, -1, -1, -1, -1]],
        "two-stage-2": [[1, 2, -1, -1, -1], [1, 0, -1, -1, -1]],
        "two-stage-3": [[0, 1, 2, -1, -1], [2, 1, 0, -1, -1]],
    }
    assert result.modes["float"].recalls == {1: 0.5, 2: 0.5, 5: 1.0}
    assert result.modes["code"].recalls == {1: 0.5, 2: 0.5, 5: 1.0}
    assert result.modes["two-stage-1"].recalls == {1: 0.5, 2: 0.5, 5: 0.5}
    assert result.modes["two-stage-2"].recalls == {1: 0.0, 2: 0.5, 5: 0.5}
    expected = [math.cos(0.1), math.cos(0.5), math.cos(1.0)]
    assert result.modes["float"].scores[0, :3] == pytest.approx(expected, abs=1e-3)
    assert np.isnan(result.modes["float"].scores[0, 3:]).all()
    assert result.modes["code"].scores[0, :3] == pytest.approx([1 - b / 32 for b in (10, 20, 30)])
    assert result.bytes_per_place == {"float": 32, "code": 8, "two-stage": 40}


def test_the_chunk_changes_nothing(tmp_path: Path) -> None:
    some = image_set(tmp_path, list(range(12)), [3, 90, 91], [[3], [0], [1]])
    some.database[5].unlink()
    whole, chunked = (evaluated(some, tmp_path / "cache", chunk=chunk) for chunk in (1000, 2))
    for name, mode in whole.modes.items():
        assert (mode.rankings == chunked.modes[name].rankings).all()
        assert np.array_equal(mode.scores, chunked.modes[name].scores, equal_nan=True)


def test_copies_of_database_images_are_found(tmp_path: Path) -> None:
    numbers = list(range(40, 60))
    copies = image_set(tmp_path, numbers, numbers[::2], [[i] for i in range(0, 20, 2)])
    result = evaluated(copies, tmp_path / "cache")
    for mode in result.modes.values():
        assert mode.recalls == {1: 1.0, 2: 1.0, 5: 1.0}
        assert mode.curve.area == pytest.approx(1)
        assert mode.curve.recall_at_full_precision == 1


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_wrong_labels_give_what_counting_by_hand_gives(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("shuffled")
    shuffled = image_set(folder, list(range(6)), list(range(6)), [[n] for n in order])
    result = evaluated(shuffled, folder / "cache", modes=("float",))
    mode = result.modes["float"]
    assert mode.recalls[1] == sum(n == i for i, n in enumerate(order)) / 6
    in_two = sum(order[i] in mode.rankings[i, :2] for i in range(6))
    assert mode.recalls[2] == in_two / 6


@pytest.fixture
def damaged(tmp_path: Path) -> EvaluationSet:
    whole = image_set(
        tmp_path, [0, 1, 2, 3], [0, 1, 2, 3, 3], [[0], [1], [2], [3], []], scored=True
    )
    whole.queries[1].write_bytes(b"no image")
    whole.database[2].unlink()
    return whole


def test_unreadable_images_are_named_and_the_work_goes_on(
    damaged: EvaluationSet, tmp_path: Path
) -> None:
    result = evaluated(damaged, tmp_path / "cache", candidates=(2,))
    assert [(i.role, i.number, i.reason) for i in result.unreadable] == [
        ("database", 2, "there is no such file"),
        ("query", 1, "not an image"),
    ]
    assert result.without_positives == 1
    for mode in result.modes.values():
        assert (mode.rankings[1] == -1).all()
        assert np.isnan(mode.scores[1]).all()
        assert 2 not in mode.rankings
        assert mode.recalls[1] == 2 / 5  # query 1 failed, 2 cannot be found, 4 has no positive
        assert mode.curve.recalls[-1] == 2 / 4
    with pytest.raises(EvaluationError, match=r"2 images cannot be read: .*2\.png .*1\.png"):
        evaluated(damaged, tmp_path / "cache", strict=True)


def test_whether_queries_without_positives_count(damaged: EvaluationSet, tmp_path: Path) -> None:
    left_out = evaluated(damaged, tmp_path / "cache", count_without_positives=False)
    assert left_out.modes["float"].recalls[1] == 2 / 4
    assert left_out.protocol["queries_without_positives"] == "left out"
    habit = replace(damaged, count_without_positives=False)
    assert evaluated(habit, tmp_path / "cache").modes["float"].recalls[1] == 2 / 4
    counted = evaluated(habit, tmp_path / "cache", count_without_positives=True)
    assert counted.modes["float"].recalls[1] == 2 / 5
    assert counted.protocol["queries_without_positives"] == "counted"


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    one = image_set(tmp_path, [0], [1], [[0]])
    one.queries[0].unlink()
    with pytest.raises(EvaluationError, match="no query can be read: there is no such file"):
        evaluated(one, tmp_path / "cache")


def test_without_ground_truth_there_are_rankings_alone(tmp_path: Path) -> None:
    unscored = image_set(tmp_path, [0, 1], [1], [[]], scored=False)
    result = evaluated(unscored, tmp_path / "cache")
    assert result.modes["float"].rankings[0, 0] == 1
    assert result.modes["float"].recalls == {}
    assert len(result.modes["float"].curve.thresholds) == 0
    assert result.protocol["rule"] == "no ground truth"


def test_modes_that_the_weights_cannot_do_are_said(tmp_path: Path) -> None:
    one = image_set(tmp_path, [0, 1], [1], [[1]])
    describer = FakeDescriber(branches=("float",))
    result = evaluated(one, tmp_path / "cache", describer)
    assert list(result.modes) == ["float"]
    assert result.unavailable == {
        "code": "the weights have no hash branch",
        "two-stage": "the weights have no hash branch",
    }
    only_code = FakeDescriber(branches=("hash",))
    assert list(evaluated(one, tmp_path / "c", only_code).modes) == ["code"]
    with pytest.raises(EvaluationError, match=r"nothing to evaluate: code: .* no hash branch"):
        evaluated(one, tmp_path / "cache", describer, modes=("code",))


@pytest.mark.parametrize(
    "values",
    [{"modes": ("both",)}, {"modes": ()}, {"ns": ()}, {"candidates": (0,)}, {"workers": 0}],
    ids=str,
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SelaVPRError):
        EvaluationSettings(**values)


def test_latency_has_the_stages_of_each_mode(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1, 2], [1, 2, 0, 1], [[1], [2], [0], [1]])
    some.queries[0].unlink()
    some.database[1].unlink()
    result = evaluated(some, tmp_path / "cache", latency_queries=3)
    described = {"preprocessing", "inference", "whole"}
    stages = {name: set(mode.latency) for name, mode in result.modes.items()}
    assert stages == {
        "float": described | {"exhaustive"},
        "code": described | {"hamming"},
        "two-stage": described | {"hamming", "reranking"},
    }
    assert result.protocol["latency_queries"] == 3
    for mode in result.modes.values():
        for times in mode.latency.values():
            assert 0 <= times["50"] <= times["90"] <= times["99"] <= times["max"]
            assert times["max"] <= mode.latency["whole"]["max"]


def test_everything_that_decides_is_in_the_protocol(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1], [1], [[1]], query_shorter_side=480)
    result = evaluated(some, tmp_path / "cache", candidates=(1, 2))
    written = json.loads(json.dumps(result.to_json()))
    assert written["protocol"] == result.protocol
    protocol = written["protocol"]
    assert protocol["set"] == "numbers"
    assert protocol["variant"] == "made by a test"
    assert protocol["rule"] == "by number"
    assert protocol["query_resize"].startswith("shorter side to 480")
    assert protocol["preprocessing"]["antialias"] is False
    assert protocol["preprocessing"]["size"] == [28, 28]
    assert protocol["fingerprint"] == "ab" * 32
    assert {"torch", "numpy", "python", "selavpr_ros"} <= set(protocol["versions"])
    assert written["modes"]["two-stage-2"]["candidates"] == 2
    assert written["modes"]["float"]["recalls"] == {"1": 1.0, "2": 1.0, "5": 1.0}


def test_json_has_no_number_that_json_lacks(tmp_path: Path) -> None:
    nothing = image_set(tmp_path, [0, 1], [1], [[]], count_without_positives=False)
    result = evaluated(nothing, tmp_path / "cache")
    assert math.isnan(result.modes["float"].recalls[1])
    written = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert written["modes"]["float"]["recalls"]["1"] is None


def photos(folder: Path, count: int) -> list[Path]:
    random = np.random.default_rng(0)
    paths = []
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8))
        paths.append(folder / f"{i}.png")
        coarse.resize((70, 56), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def model() -> Any:
    from selavpr_core.model import preset_settings

    return lively_model(preset_settings("tiny", input_size=(56, 56)))


def real_set(folder: Path) -> EvaluationSet:
    """Queries that are copies of database images, described by a real network."""
    folder.mkdir()
    paths = photos(folder, 12)
    empty = image_set(folder, [], [], [])
    return replace(
        empty,
        database=paths,
        queries=paths[3:9],
        positives=[np.array([n]) for n in range(3, 9)],
        database_keys=[p.name for p in paths],
        query_keys=[p.name for p in paths[3:9]],
    )


def test_a_real_network_finds_copies_as_a_robot_does(model: Any, tmp_path: Path) -> None:
    copies = real_set(tmp_path / "photos")
    describer = Describer(model, "cpu", "fp32", batch_size=5)
    result = evaluated(copies, tmp_path / "cache", describer, candidates=(4,), latency_queries=2)
    for mode in result.modes.values():
        assert mode.recalls[1] == 1

    described = describer([np.array(Image.open(path)) for path in copies.database])
    contents = {**places(12), "codes": described.codes, "descriptors": described.descriptors}
    info = model_info(describer)
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"one": contents}, info))
    for name, mode in result.modes.items():
        localizer = Localizer(place_map, mode.mode, candidates=4)
        for i, path in enumerate(copies.queries):
            one = describer(np.array(Image.open(path)))
            assert one.codes is not None
            assert one.descriptors is not None
            matches = localizer.localize(one.codes[0], one.descriptors[0], 4)
            assert [m.place for m in matches] == mode.rankings[i, :4].tolist(), name
            assert [m.similarity for m in matches] == pytest.approx(mode.scores[i, :4], abs=1e-4)


def model_info(describer: Describer) -> Any:
    from selavpr_core.place_map import ModelInfo

    return ModelInfo(
        describer.fingerprint,
        "test",
        describer.preset,
        False,
        descriptor_dim=describer.descriptor_dim,
        code_bytes=describer.code_bytes,
    )


@pytest.mark.parametrize("mode", ["float", "code", "two-stage"])
def test_validation_computes_what_evaluate_computes(model: Any, tmp_path: Path, mode: Any) -> None:
    copies = real_set(tmp_path / "photos")
    wrong = replace(copies, positives=[np.array([n]) for n in (3, 4, 5, 0, 1, 2)])
    wrong.queries[0].write_bytes(b"")  # database image 3 as well: the same file
    expected = evaluated(
        wrong, tmp_path / "cache", Describer(model, "cpu"), modes=(mode,), ns=(1, 3)
    )
    recalls = validation_recalls(
        model, wrong, mode, device=torch.device("cpu"), precision="fp32", batch_size=4, ns=(1, 3)
    )
    assert recalls == expected.modes[mode].recalls
    assert recalls[1] == 2 / 6
    assert recalls[3] < 1


def test_validation_leaves_the_model_as_it_was(model: Any, tmp_path: Path) -> None:
    copies = real_set(tmp_path / "photos")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    model.backbone.eval()
    flags = [(m.training, p.requires_grad) for m in model.modules() for p in m.parameters()]
    try:
        validation_recalls(
            model, copies, "two-stage", device="cpu", precision="fp32", batch_size=4, workers=1
        )
        assert flags == [
            (m.training, p.requires_grad) for m in model.modules() for p in m.parameters()
        ]
        assert all((before[name] == t).all() for name, t in model.state_dict().items())
    finally:
        model.eval()
