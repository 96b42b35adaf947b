"""The name that stands for the weights inside the package; here a file of random ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from selavpr_core import SelaVPR
from selavpr_core.errors import WeightsError, WeightsUnavailableError
from selavpr_core.weights import convert_weights, fingerprint, hub, native, shipped

from ..lively import lively_model


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the package believes its weights to be: a half file, said to be trained."""
    path = tmp_path / "package" / "tiny.safetensors"
    path.parent.mkdir()
    model = lively_model()
    model.pretrained = True
    native.save(model, path, half=True)
    monkeypatch.setattr(shipped, "FILE", path)
    return path


def test_the_name_is_loaded_from_the_package_alone(
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def offline(*_: object) -> Path:
        raise AssertionError("asked the network")

    monkeypatch.setattr(hub, "fetch", offline)
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()  # a name is a name, whatever lies in the working directory
    model = SelaVPR.from_pretrained("tiny")
    assert model.pretrained
    assert not model.training
    assert not caplog.records
    by_path = SelaVPR.from_pretrained(str(installed))
    assert fingerprint(model.state_dict(), model.settings) == fingerprint(
        by_path.state_dict(), by_path.settings
    )


def test_the_source_is_the_name_wherever_it_is_installed(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = SelaVPR.from_pretrained("tiny")
    elsewhere = tmp_path / "another machine.safetensors"
    shutil.move(installed, elsewhere)
    monkeypatch.setattr(shipped, "FILE", elsewhere)
    there = SelaVPR.from_pretrained("tiny")
    assert here.source == there.source == "tiny"


def test_it_can_be_written_to_a_file(installed: Path, tmp_path: Path) -> None:
    digest = convert_weights("tiny", tmp_path / "copy.safetensors", preset="tiny")
    assert digest == native.save(SelaVPR.from_pretrained("tiny"), tmp_path / "again.safetensors")
    # What was rounded once is not changed by rounding again.
    assert digest == convert_weights("tiny", tmp_path / "half.safetensors", half=True)


def test_a_broken_installation_is_told_in_one_line(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.unlink()
    with pytest.raises(WeightsError) as caught:
        SelaVPR.from_pretrained("tiny")
    message = str(caught.value)
    assert not isinstance(caught.value, WeightsUnavailableError)  # nothing to fetch
    assert "\n" not in message
    for part in ("'tiny'", str(installed), "install selavpr_ros again"):
        assert part in message


def test_a_damaged_installation_is_told_in_one_line(installed: Path) -> None:
    installed.write_bytes(installed.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged") as caught:
        SelaVPR.from_pretrained("tiny")
    assert "\n" not in str(caught.value)


def test_it_lies_beside_the_code() -> None:
    """Where setup.py, colcon and an editable installation put what belongs to a package."""
    assert Path(shipped.__file__).parent == shipped.FILE.parent


def test_what_comes_with_the_package_is_small_trained_and_complete(tiny_weights: str) -> None:
    model = SelaVPR.from_pretrained(tiny_weights)
    assert shipped.FILE.stat().st_size <= 16e6
    assert model.pretrained
    assert model.settings.preset == "tiny"
    assert model.settings.branches == ("float", "hash")
    assert model.settings.code_bits == 512
    assert model.settings.descriptor_dim <= 1024
