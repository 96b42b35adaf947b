from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from selavpr_core.errors import WeightsError, WeightsUnavailableError
from selavpr_core.model import PRESETS, SelaVPR, preset_settings
from selavpr_core.weights import convert_weights, fingerprint, hub, load_backbone, load_model

from ..lively import images, lively_model


def digest(model: SelaVPR) -> str:
    return fingerprint(model.state_dict(), model.settings)


def test_published_weights_give_the_same_network(
    model: SelaVPR, published: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = SelaVPR.from_pretrained(str(published))
    assert loaded.source == str(published)
    assert loaded.pretrained
    assert not loaded.training
    assert not caplog.records
    assert not any(p.requires_grad for p in loaded.backbone.parameters())
    assert all(p.requires_grad for p in loaded.float_branch.parameters())
    with torch.no_grad():
        expected, output = model(images(1)), loaded(images(1))
    assert torch.equal(output.descriptor, expected.descriptor)
    assert torch.equal(output.hash, expected.hash)


def test_the_source_of_a_file_can_be_found_from_elsewhere(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_weights(str(published), tmp_path / "w.safetensors")
    monkeypatch.setenv("HOME", str(published.parent))
    monkeypatch.chdir(tmp_path)
    assert load_model("./w.safetensors").source == str(tmp_path / "w.safetensors")
    assert load_model(f"~/{published.name}").source == str(published)


def test_the_home_of_nobody_is_a_file_that_is_missing() -> None:
    with pytest.raises(WeightsError, match=r"~nosuchuser/w\.pth"):
        load_model("~nosuchuser/w.pth")


def test_a_name_is_fetched_from_the_hub(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return published

    monkeypatch.setattr(hub, "fetch", fetch)
    assert load_model("base").source == "base"
    assert asked == ["base"]


def test_conversion_keeps_the_fingerprint(published: Path, model: SelaVPR, tmp_path: Path) -> None:
    output = tmp_path / "w.safetensors"
    written = convert_weights(str(published), output, preset="tiny")
    converted = load_model(str(output))
    assert written == digest(model) == digest(load_model(str(published))) == digest(converted)
    assert converted.pretrained


def test_untrained_weights_stay_untrained_through_conversion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    convert_weights("random:tiny", tmp_path / "w.safetensors")
    caplog.clear()
    assert not load_model(str(tmp_path / "w.safetensors")).pretrained
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_conversion_refuses_another_preset_and_an_existing_file(
    published: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="preset tiny, not base"):
        convert_weights(str(published), tmp_path / "w.safetensors", preset="base")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine.safetensors").write_text("keep")
    with pytest.raises(WeightsError, match="exists already"):
        convert_weights(str(published), tmp_path / "mine.safetensors")
    assert (tmp_path / "mine.safetensors").read_text() == "keep"


def test_a_name_that_stands_for_nothing_is_told_every_one_that_stands_for_something() -> None:
    with pytest.raises(WeightsError) as caught:
        load_model("nonsense")
    for name in ("tiny", *hub.FILES, ".pth", ".safetensors", "random:PRESET"):
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["nonsense", "weights.onnx", "random:huge", "random:", ""])
def test_a_name_that_stands_for_nothing_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(WeightsError, match=r"random:.*") as caught:
        load_model(name)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, WeightsUnavailableError)


def test_untrained_weights_are_the_same_in_every_process(project: Path) -> None:
    program = (
        "import torch; torch.manual_seed(5); torch.rand(3);"
        "from selavpr_core.weights import load_model, fingerprint;"
        "m = load_model('random:tiny'); print(fingerprint(m.state_dict(), m.settings))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == digest(load_model("random:tiny"))


def test_untrained_weights_leave_the_random_numbers_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    load_model("random:tiny")
    assert torch.equal(torch.rand(4), expected)


def test_untrained_weights_are_announced_each_time(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        caplog.clear()
        model = load_model("random:tiny")
        assert not model.pretrained
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "untrained" in caplog.text
        assert "random:tiny" in caplog.text


def test_the_readme_s_presets_can_all_be_had_untrained() -> None:
    assert PRESETS == ("base", "large", "small", "tiny")
    assert load_model("random:small").settings == preset_settings("small")


@pytest.mark.parametrize("layout", ["dinov2", "timm"])
def test_a_backbone_file_fills_the_backbone_alone(
    model: SelaVPR, tmp_path: Path, layout: str
) -> None:
    state = {name: t.clone() for name, t in model.backbone.state_dict().items()}
    if layout == "dinov2":
        path = tmp_path / "dinov2_vitt14_pretrain.pth"
        torch.save({**state, "mask_token": torch.zeros(1, 384)}, path)
    else:
        path = tmp_path / "model.safetensors"
        save_file(state, path)
    filled = lively_model(seed=4)
    branches = {n: t.clone() for n, t in filled.state_dict().items() if "branch" in n}
    filled.backbone.position_embedding(5, 5)  # cached, and to be forgotten
    load_backbone(filled, path)
    assert all(torch.equal(filled.backbone.state_dict()[n], t) for n, t in state.items())
    assert all(torch.equal(filled.state_dict()[n], t) for n, t in branches.items())
    expected = model.backbone.position_embedding(5, 5)
    assert torch.equal(filled.backbone.position_embedding(5, 5), expected)


def test_a_backbone_of_another_width_is_refused(model: SelaVPR, tmp_path: Path) -> None:
    state = dict(model.backbone.state_dict())
    state["norm.weight"] = torch.ones(192)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"norm.weight \[192\] float instead of \[384\]"):
        load_backbone(model, tmp_path / "w.safetensors")
