from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from selavpr_core.errors import WeightsError
from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.model.settings import ADAPTERS, HEADS
from selavpr_core.weights import native
from selavpr_core.weights.fingerprint import fingerprint

from ..lively import images, lively_model

# A single row of numbers that are smaller than float16 holds well, as it is initialised.
KEPT = "cls_token"


@pytest.fixture(scope="module")
def model() -> SelaVPR:
    return lively_model(preset_settings("tiny", adapters="every:2", input_size=(140, 224)))


@pytest.fixture
def saved(model: SelaVPR, tmp_path: Path) -> Path:
    native.save(model, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def refusal(action: Callable[[], Any]) -> str:
    with pytest.raises(WeightsError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_a_file_is_for_whom_the_umask_allows(
    model: SelaVPR, tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        native.save(model, tmp_path / "w.safetensors")
        assert os.umask(umask) == umask  # as it was
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("pretrained", [True, False])
def test_what_was_saved_comes_back(model: SelaVPR, tmp_path: Path, pretrained: bool) -> None:
    model.pretrained = pretrained
    digest = native.save(model, tmp_path / "w.safetensors")
    settings, state, was_pretrained = native.read_native(tmp_path / "w.safetensors")
    assert settings == model.settings
    assert was_pretrained is pretrained
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[n], tensor) for n, tensor in model.state_dict().items())
    assert digest == fingerprint(state, settings) == fingerprint(model.state_dict(), settings)
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_and_head_comes_back(adapter: str, head: str, tmp_path: Path) -> None:
    model = lively_model(preset_settings("tiny", adapter=adapter, head=head))
    native.save(model, tmp_path / "w.safetensors")
    again = SelaVPR.from_pretrained(str(tmp_path / "w.safetensors"))
    with torch.no_grad():
        expected, output = model(images(1, 126, 140)), again(images(1, 126, 140))
    assert again.settings == model.settings
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    # Where tensors lie in memory changes the order of sums.
    torch.testing.assert_close(output.descriptor, expected.descriptor, rtol=0, atol=1e-6)
    torch.testing.assert_close(output.hash, expected.hash, rtol=0, atol=1e-6)


def test_weights_of_another_adapter_than_their_settings_say_are_refused(
    model: SelaVPR, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    native.save(model, path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    settings = {**model.settings.to_json(), "adapter": "vanilla"}
    save_file(load_file(path), path, {**metadata, "settings": json.dumps(settings)})
    message = refusal(lambda: native.read_native(path))
    assert "do not fit the preset tiny" in message
    assert "multi_conv" in message


def test_the_settings_can_be_read_by_anybody(saved: Path, model: SelaVPR) -> None:
    with safe_open(saved, framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["settings"]) == json.loads(json.dumps(model.settings.to_json()))


def test_existing_weights_are_never_replaced(saved: Path, model: SelaVPR) -> None:
    before = saved.read_bytes()
    assert "exists already" in refusal(lambda: native.save(model, saved))
    assert saved.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, model: SelaVPR) -> None:
    assert "ends in .safetensors" in refusal(lambda: native.save(model, tmp_path / "w.pth"))
    missing = tmp_path / "none" / "w.safetensors"
    assert "no folder" in refusal(lambda: native.save(model, missing))


def test_a_failed_write_leaves_nothing(
    tmp_path: Path, model: SelaVPR, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(state: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(native, "save_file", full)
    message = refusal(lambda: native.save(model, tmp_path / "w.safetensors"))
    assert "No space left on device" in message
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    os.truncate(saved, int(share * saved.stat().st_size))
    assert "damaged" in refusal(lambda: native.read_native(saved))


def test_a_flipped_bit_in_the_weights_is_found(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1001] ^= 0x10
    saved.write_bytes(data)
    assert "fingerprint" in refusal(lambda: native.read_native(saved))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "pt"}, "not written by selavpr"),
        ({"version": "2"}, "version 2"),
        ({"settings": "{}"}, "damaged settings"),
        ({"settings": "nonsense"}, "damaged settings"),
        ({"settings": "[" * 100_000}, "damaged settings"),
        (
            {"settings": json.dumps({**preset_settings("tiny").to_json(), "num_heads": 0})},
            "damaged settings (num_heads 0 must be",
        ),
        ({"pretrained": None}, "damaged settings"),
        ({"fingerprint": "0" * 64}, "fingerprint"),
        (
            {"settings": json.dumps(preset_settings("tiny").to_json())},
            "78 missing (float_branch.adapters.3.down.bias, ",
        ),
    ],
)
def test_metadata_that_does_not_fit_is_refused(
    saved: Path, tmp_path: Path, change: dict[str, str | None], named: str
) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata = {**file.metadata(), **change}
    path = tmp_path / "changed.safetensors"
    save_file(load_file(saved), path, {k: v for k, v in metadata.items() if v is not None})
    assert named in refusal(lambda: native.read_native(path))


def test_a_file_without_metadata_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    message = refusal(lambda: native.read_native(tmp_path / "w.safetensors"))
    assert "selavpr convert-weights" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "check the path" in refusal(lambda: native.read_native(tmp_path / "none.safetensors"))


def test_half_a_file_is_verified_as_it_is_read(model: SelaVPR, tmp_path: Path) -> None:
    whole = native.save(model, tmp_path / "whole.safetensors")
    digest = native.save(model, tmp_path / "half.safetensors", half=True)
    settings, state, _ = native.read_native(tmp_path / "half.safetensors")
    assert digest == fingerprint(state, settings) != whole
    stored = load_file(tmp_path / "half.safetensors")
    for name, tensor in model.state_dict().items():
        assert stored[name].dtype == (
            tensor.dtype if name.endswith(KEPT) or tensor.dim() < 2 else torch.float16
        )
        if tensor.is_floating_point():
            assert state[name].dtype == torch.float32
            torch.testing.assert_close(state[name], tensor, rtol=2**-11, atol=2**-25)
        else:
            assert torch.equal(state[name], tensor)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.53 * sizes[1]


def test_a_flipped_bit_in_half_a_file_is_found(model: SelaVPR, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    native.save(model, path, half=True)
    data = bytearray(path.read_bytes())
    data[-1001] ^= 0x10
    path.write_bytes(data)
    assert "fingerprint" in refusal(lambda: native.read_native(path))


def test_half_the_weights_describe_alike(model: SelaVPR, tmp_path: Path) -> None:
    native.save(model, tmp_path / "half.safetensors", half=True)
    rounded = SelaVPR.from_pretrained(str(tmp_path / "half.safetensors"))
    with torch.no_grad():
        expected, output = model(images(2, 140, 140)), rounded(images(2, 140, 140))
    assert (output.descriptor * expected.descriptor).sum(1).min() > 0.9999
    assert (output.hash * expected.hash).sum(1).min() > 0.9999
