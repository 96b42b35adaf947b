from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from selavpr_core.errors import WeightsError
from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.weights.published import published_name, read_published
from selavpr_core.weights.state import skeleton

from ..lively import lively_model
from .published_files import published_state, respelled, training_dictionary

QKV = "module.backbone.blocks.2.attn.qkv.weight"


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(WeightsError) as caught:
        read_published(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("numpy_core", ["core", "_core"])
def test_a_training_dictionary_is_read_in_either_numpy_spelling(
    model: SelaVPR, published: Path, tmp_path: Path, numpy_core: str
) -> None:
    settings, state = read_published(respelled(published, tmp_path / "w.pth", numpy_core))
    assert settings == model.settings
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def test_what_torch_may_unpickle_is_as_before(published: Path) -> None:
    torch.serialization.add_safe_globals([Path])
    try:
        before = set(torch.serialization.get_safe_globals())
        read_published(published)
        assert set(torch.serialization.get_safe_globals()) == before
    finally:
        torch.serialization.clear_safe_globals()


def test_tensors_do_not_hang_on_the_file(published: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(published.read_bytes())
    _, state = read_published(path)
    before = state["backbone.norm.weight"].clone()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(state["backbone.norm.weight"], before)


@pytest.mark.parametrize("branches", [("float",), ("hash",)])
def test_branches_follow_from_the_names(tmp_path: Path, branches: tuple[str, ...]) -> None:
    model = lively_model(preset_settings("tiny", branches=branches))
    torch.save(training_dictionary(published_state(model)), tmp_path / "w.pth")
    settings, _ = read_published(tmp_path / "w.pth")
    assert settings == model.settings


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_presets_of_one_width_are_told_apart_by_their_blocks(tmp_path: Path, preset: str) -> None:
    model = lively_model(preset_settings(preset, branches=("float",)))
    torch.save(training_dictionary(published_state(model)), tmp_path / "w.pth")
    settings, _ = read_published(tmp_path / "w.pth")
    assert settings == model.settings


def test_a_bare_state_dict_in_half_precision_becomes_float32(
    model: SelaVPR, tmp_path: Path
) -> None:
    state = {
        name.removeprefix("module."): t.half() if t.is_floating_point() else t
        for name, t in published_state(model).items()
    }
    torch.save(state, tmp_path / "w.pth")
    _, read = read_published(tmp_path / "w.pth")
    assert read["backbone.norm.weight"].dtype == torch.float32


def test_the_old_file_format_is_read_too(model: SelaVPR, tmp_path: Path) -> None:
    dictionary = training_dictionary(published_state(model))
    torch.save(dictionary, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    _, state = read_published(tmp_path / "w.pth")
    assert torch.equal(state["backbone.pos_embed"], model.backbone.pos_embed)


def test_adapters_of_large_begin_at_its_ninth_block() -> None:
    settings = preset_settings("large")
    names = [published_name(name, settings) for name in skeleton(settings).state_dict()]
    assert len(set(names)) == len(names)
    first = "float_branch.adapters.9.multi_conv.path5.1.bn.weight"
    assert published_name(first, settings) == "backbone.adapters.0.branch3.1.bn.weight"
    last = "hash_branch.adapters.24.up.bias"
    assert published_name(last, settings) == "backbone.adapters_hashing.15.D_fc2.bias"


class Marking:
    """Unpickling it runs a command."""

    def __init__(self, function: Callable[..., Any], argument: str) -> None:
        self.call = function, argument

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return self.call[0], (self.call[1],)


@pytest.mark.parametrize("function", [os.system, eval, os.mkdir])
def test_a_file_with_code_is_refused_and_its_code_is_not_run(
    model: SelaVPR, tmp_path: Path, function: Callable[..., Any]
) -> None:
    marker = tmp_path / "ran"
    command = {
        os.system: f"touch {marker}",
        eval: f"open({str(marker)!r}, 'w').close()",
        os.mkdir: str(marker),
    }[function]
    dictionary = training_dictionary(published_state(model), recalls=Marking(function, command))
    torch.save(dictionary, tmp_path / "evil.pth")
    assert function.__name__ in refusal(tmp_path / "evil.pth")
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(published: Path, tmp_path: Path, share: float) -> None:
    data = published.read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: int(share * len(data))])
    assert "damaged" in refusal(tmp_path / "cut.pth")


@pytest.mark.parametrize("content", [b"<html>not found</html>", bytes(100), b"\x80\x02}."])
def test_what_is_no_weight_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    refusal(tmp_path / "w.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "check the path" in refusal(tmp_path / "none.pth")
    assert "check the path" in refusal(tmp_path)


def changed(model: SelaVPR, change: Callable[[dict[str, Tensor]], Any], path: Path) -> Path:
    state = published_state(model)
    change(state)
    torch.save(training_dictionary(state), path)
    return path


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop(QKV), f"1 missing ({QKV.removeprefix('module.')})"),
        (lambda s: s.update(extra=torch.zeros(2)), "1 unexpected (extra)"),
        (
            lambda s: s.update({QKV: torch.zeros(3, 4)}),
            f"1 of a wrong shape or type ({QKV.removeprefix('module.')} [3, 4] float instead of "
            "[1152, 384] float)",
        ),
        (lambda s: s.update({QKV: s[QKV].int()}), "[1152, 384] integer instead of"),
        (
            lambda s: [s.pop(k) for k in list(s) if "adapters_hashing.0.D_fc1" in k],
            "2 missing (backbone.adapters_hashing.0.D_fc1.bias,",
        ),
        (
            lambda s: s.update({"module.backbone.norm.weight": torch.ones(200)}),
            "200 channels; presets have base 768, large 1024, small 384, tiny 384",
        ),
        (
            lambda s: s.update({"module.backbone.norm.weight": torch.ones(768)}),
            "do not fit the preset base",
        ),
        (
            lambda s: [s.pop(k) for k in list(s) if "adapters" in k],
            "no side network",
        ),
        (lambda s: s.pop("module.backbone.norm.weight"), "no backbone.norm.weight"),
        (lambda s: s.clear(), "hold no state dict"),
        (lambda s: s.update(epoch=3), "1 entries are no tensors (epoch)"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(
    model: SelaVPR, tmp_path: Path, change: Callable[[dict[str, Tensor]], Any], named: str
) -> None:
    assert named in refusal(changed(model, change, tmp_path / "w.pth"))
