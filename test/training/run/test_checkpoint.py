from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from selavpr_core.model import SelaVPR
from training.errors import TrainingError
from training.run.checkpoint import (
    changing_state,
    frozen_digest,
    read_checkpoint,
    restore_state,
    write_checkpoint,
)
from training.strategies import build_model, prepare_for_training


@pytest.fixture
def model() -> SelaVPR:
    model = build_model("tiny", placement="last:1", branches=("float", "hash"))
    prepare_for_training(model, "multi-conv", ["hash"])
    return model


def test_a_checkpoint_reads_back(tmp_path: Path) -> None:
    content = {"step": 3, "recalls": {1: 0.5}, "weights": {"a": torch.rand(3)}}
    write_checkpoint(tmp_path / "last.ckpt", content)
    read = read_checkpoint(tmp_path / "last.ckpt")
    assert read["step"] == 3
    assert read["recalls"] == {1: 0.5}
    assert torch.equal(read["weights"]["a"], content["weights"]["a"])
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_a_crash_while_writing_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, {"step": 1})

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("training.run.checkpoint.publish", crash)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(path, {"step": 2})
    aside = tmp_path / "last.ckpt.part"
    aside.write_bytes(aside.read_bytes()[:100])  # as a power cut leaves it
    assert read_checkpoint(path)["step"] == 1
    write_checkpoint(path, {"step": 3})
    assert read_checkpoint(path)["step"] == 3
    assert not aside.exists()


def test_a_full_disk_is_one_line_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.run.checkpoint.publish", full)
    with pytest.raises(TrainingError, match=r"last\.ckpt cannot be written: .*No space left"):
        write_checkpoint(path, {"step": 2})
    assert read_checkpoint(path)["step"] == 1


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path)
    write_checkpoint(path, {"weights": torch.rand(1000)})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path)
    torch.save({"step": 1}, path)
    with pytest.raises(TrainingError, match="no checkpoint of this program"):
        read_checkpoint(path)
    torch.save({"model": torch.nn.Linear}, path)  # a pickle that would run code
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path)


def test_only_what_changes_is_kept(model: SelaVPR) -> None:
    state = changing_state(model)
    parameters = {name for name in state if name in dict(model.named_parameters())}
    assert parameters
    assert all(name.startswith("hash_branch.") for name in parameters)
    assert not any(name.startswith("backbone.") for name in state)
    changed = {n: torch.ones_like(t) for n, t in state.items()}
    digest = frozen_digest(model)
    restore_state(model, changed)
    assert all(torch.equal(model.state_dict()[n], t) for n, t in changed.items())
    assert frozen_digest(model) == digest


def test_other_frozen_weights_have_another_digest(model: SelaVPR) -> None:
    digest = frozen_digest(model)
    assert model.float_branch is not None
    with torch.no_grad():
        model.float_branch.head.linear1.bias[0] += 1e-6  # type: ignore[union-attr,operator]
    assert frozen_digest(model) != digest


def test_the_state_of_another_network_is_refused(model: SelaVPR) -> None:
    state = changing_state(model)
    state.popitem()
    with pytest.raises(TrainingError, match="another network"):
        restore_state(model, state)
