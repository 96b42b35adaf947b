from __future__ import annotations

import base64
import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.preprocessing import Preprocessing
from test.training.report.sample import DAMAGED
from training.evaluation.evaluation_set import EvaluationSet
from training.report.attention import draw_attention, gem_shares, shares


def test_shares_are_the_sensitivity_of_the_pooled_length_to_each_location() -> None:
    torch.manual_seed(0)
    features, p = torch.randn(2, 3, 4, 7, dtype=torch.float64), 2.7
    found = gem_shares(features, p)
    assert found.shape == (2, 3, 4)
    assert found.dtype == torch.float32
    assert float(found.mean()) == pytest.approx(1.0, abs=1e-6)

    def squared_length(image: int, at: tuple[int, int], growth: float) -> float:
        total = [0.0] * 7
        for row in range(3):
            for column in range(4):
                vector = features[image, row, column] / features[image, row, column].norm()
                factor = growth if (row, column) == at else 1.0
                for channel in range(7):
                    total[channel] += (factor * max(float(vector[channel]), 1e-6)) ** p
        return sum((value / 12) ** (2 / p) for value in total)

    step = 1e-5
    for image in range(2):
        for row in range(3):
            for column in range(4):
                more = squared_length(image, (row, column), 1 + step)
                less = squared_length(image, (row, column), 1 - step)
                relative = (more - less) / (2 * step) / squared_length(image, (row, column), 1)
                expected = 12 * relative / 2
                assert float(found[image, row, column]) == pytest.approx(expected, abs=1e-4)


def test_maps_are_of_what_the_evaluation_described(
    tiny: SelaVPR, evaluation_set: EvaluationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokyo24/7's queries are reduced before the network sees them."""
    sizes = []

    def watched(self: Preprocessing, images: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(images.shape[1:3]))
        return call(self, images)

    call = Preprocessing.__call__
    monkeypatch.setattr(Preprocessing, "__call__", watched)
    draw_attention(tiny, evaluation_set.queries, [0])
    draw_attention(tiny, evaluation_set.queries, [0], shorter_side=36)
    assert sizes == [(72, 96), (36, 48)]


def test_equal_locations_have_even_shares() -> None:
    features = torch.rand(1, 1, 1, 5).expand(1, 2, 3, 5)
    assert torch.allclose(gem_shares(features, 3.0), torch.ones(1, 2, 3))


def test_a_location_that_alone_has_a_channel_speaks_loudest() -> None:
    features = torch.full((1, 4, 4, 8), 0.0)
    features[..., 0] = 1.0
    features[0, 1, 2] = torch.eye(8)[3]
    found = gem_shares(features, 3.0)[0]
    assert found.argmax() == 1 * 4 + 2


def test_a_branch_is_measured_in_what_its_head_pools(tiny: SelaVPR) -> None:
    images = torch.randn(1, 3, 56, 84, generator=torch.Generator().manual_seed(1))
    trained = copy.deepcopy(tiny).eval()
    assert trained.float_branch is not None
    trained.float_branch.head.gem.p.data.fill_(2.2)
    found = shares(trained, images)
    assert list(found) == ["backbone alone", "float branch", "hash branch"]
    assert all(grid.shape == (1, 4, 6) for grid in found.values())
    branch = trained.float_branch
    with torch.no_grad():
        pooled = branch.head.linear1(trained.feature_maps(images).float)
        # The very vector that the head's last layer reads.
        p = branch.head.gem.p
        g = functional.normalize(pooled, dim=-1).clamp(min=1e-6).pow(p).mean(dim=(1, 2)).pow(1 / p)
        described = functional.normalize(branch.head.linear2(g), dim=1)
        assert torch.allclose(described, trained(images).descriptor, atol=1e-5)
        assert torch.allclose(found["float branch"], gem_shares(pooled, float(p)))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"branches": ("hash",)}, ["backbone alone", "hash branch"]),
        ({"branches": ("float",), "head": "salad"}, ["backbone alone", "float branch"]),
        ({"branches": ("float",), "adapter": "in-block"}, ["last block", "float branch"]),
    ],
)
def test_other_networks_have_maps_too(options: dict[str, object], names: list[str]) -> None:
    model = SelaVPR(preset_settings("tiny", **options)).eval()  # type: ignore[arg-type]
    found = shares(model, torch.randn(1, 3, 28, 28))
    assert list(found) == names
    assert all(float(grid.mean()) == pytest.approx(1.0, abs=1e-5) for grid in found.values())


def test_maps_lie_over_the_image_in_its_own_proportions(
    tiny: SelaVPR, evaluation_set: EvaluationSet
) -> None:
    attention = draw_attention(tiny, evaluation_set.queries, [0, DAMAGED, 7])
    assert attention is not None
    assert [row.query for row in attention.rows] == [0, 7], "one that cannot be read is left out"
    assert attention.top >= 1.5
    for row in attention.rows:
        assert (row.image.width, row.image.height) == (96, 72)
        assert {(p.width, p.height) for p in row.maps.values()} == {(96, 72)}
    dark, bright = attention.colours[0], attention.colours[-1]
    assert sum(map(int, dark[4:-1].split())) < 50 < 400 < sum(map(int, bright[4:-1].split()))


def drawn(tiny: SelaVPR, path: Path, grid: torch.Tensor, patch: pytest.MonkeyPatch) -> np.ndarray:
    """The pixels [H, W, 3], RGB, of a map with these values over an image."""
    patch.setattr("training.report.attention.shares", lambda *_: {"backbone alone": grid})
    attention = draw_attention(tiny, [path], [0])
    assert attention is not None
    uri = attention.rows[0].maps["backbone alone"].uri
    assert uri is not None
    data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_the_brightest_place_of_a_map_is_where_the_value_is_largest(
    tiny: SelaVPR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = torch.ones(1, 4, 4)
    grid[0, 3, 0] = 5.0
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((200, 200, 3), 128, np.uint8))
    pixels = drawn(tiny, path, grid, monkeypatch).sum(axis=2)
    assert pixels[190, 10] > pixels[10, 190] + 50
    assert pixels[190, 10] >= pixels.max() - 15, "but for what JPEG adds"


def test_light_and_shade_of_the_image_are_not_taken_for_values(
    tiny: SelaVPR, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "halves.png"
    halves = np.zeros((200, 200, 3), np.uint8)
    halves[:, 100:] = 255
    cv2.imwrite(str(path), halves)
    pixels = drawn(tiny, path, torch.ones(1, 4, 4), monkeypatch)
    assert np.abs(pixels[100, 30] - pixels[100, 170]).max() <= 3
    assert pixels[100, 105].sum() > pixels[100, 95].sum() + 100, "but its contours are seen"


def test_the_mode_of_the_model_is_left_as_it_was(
    tiny: SelaVPR, evaluation_set: EvaluationSet
) -> None:
    tiny.train()
    assert tiny.float_branch is not None
    tiny.float_branch.head.eval()
    before = [module.training for module in tiny.modules()]
    draw_attention(tiny, evaluation_set.queries, [0])
    assert [module.training for module in tiny.modules()] == before
    tiny.eval()


def test_without_a_readable_image_there_are_no_maps(
    tiny: SelaVPR, evaluation_set: EvaluationSet
) -> None:
    assert draw_attention(tiny, evaluation_set.queries, [DAMAGED]) is None
