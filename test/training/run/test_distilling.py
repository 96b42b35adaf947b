"""Runs with a teacher, of the smallest network, in this process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from selavpr_core.errors import SelaVPRError
from selavpr_core.model import SelaVPR
from test.training.distillation.graphs import write_teacher
from test.training.run.conftest import write_places
from test.training.run.ranks import train_as_two
from test.training.run.test_loop import after_step, configure, weights
from training.batches import Views
from training.distillation import Teacher, make_notes, write_notes
from training.errors import ConfigError, TrainingError
from training.index import PlaceIndex
from training.run import distilling
from training.run.checkpoint import read_checkpoint, write_checkpoint
from training.run.config import Config
from training.run.data import batch_settings
from training.run.distilling import Distilling, Lesson
from training.run.folder import RunFolder
from training.run.loop import Loop
from training.run.stopping import Stopped
from training.run.training import train

__all__ = ["configure"]

FULL = (
    "model.strategy=full",
    "model.placement=null",
    "model.layer_scale=1.0",
    "optimizer.schedule=cosine",
    "optimizer.warmup=3",
    "optimizer.clip=1.0",
    "optimizer.weight_decay=0.05",
)


@pytest.fixture
def taught(configure: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    """Configurations with a teacher of two cells by two."""
    path = write_teacher(tmp_path / "teacher.onnx")

    def make(*overrides: str) -> Config:
        return configure(*FULL, f"distillation.teacher={path}", "distillation.map=map", *overrides)

    return make


def entries(config: Config) -> list[dict[str, float]]:
    lines = (config.folder / "metrics.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if "loss" in entry]


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_a_backbone_learns_from_a_teacher(taught: Callable[..., Config]) -> None:
    config = taught("trainer.epochs=6", "distillation.weight=2", "distillation.metric_weight=0.5")
    path = train(config)
    curve = entries(config)
    for entry in curve:
        total = 2 * entry["distillation"] + 0.5 * entry["float/multi_similarity"]
        assert entry["loss"] == pytest.approx(total, rel=1e-5)
    assert curve[0]["distillation"] > 0.75  # nothing is known at first: cosines near 0
    assert sum(entry["distillation"] for entry in curve[-4:]) / 4 < 0.5
    model = SelaVPR.from_pretrained(str(path))
    assert model.settings.adapter == "none"
    assert not [name for name in model.state_dict() if name.startswith(("layer", "network"))]


def test_what_was_trained_is_a_backbone_for_another_run(
    taught: Callable[..., Config],
    configure: Callable[..., Config],
) -> None:
    path = train(taught("trainer.max_steps=1", "name=backbone"))
    before = weights(path)
    after = weights(train(configure(f"model.backbone={path}", "trainer.max_steps=1")))
    backbone = {name: tensor for name, tensor in after.items() if name.startswith("backbone.")}
    assert backbone
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.items())


@pytest.mark.parametrize(("metric_weight", "muon"), [(0.0, "null"), (1.0, "3")])
def test_a_run_with_a_teacher_goes_on_bit_for_bit(
    taught: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    metric_weight: float,
    muon: str,
) -> None:
    overrides = (
        "trainer.epochs=3",
        "distillation.keep=0.5",
        f"distillation.metric_weight={metric_weight}",
        f"optimizer.muon={muon}",
        "trainer.precision=bf16-mixed",
    )
    unbroken, broken = (taught(f"name={name}", *overrides) for name in ("unbroken", "broken"))
    expected = weights(train(unbroken))
    for step in (3, 6, 8):  # in the warm-up, in the next epoch, and at an end
        with monkeypatch.context() as patch:
            after_step(patch, step, lambda _: signal.raise_signal(signal.SIGTERM))
            with pytest.raises(SystemExit) as stop:
                train(broken, resume=step > 3)
            assert stop.value.code == 143
    assert same(weights(train(broken, resume=True)), expected)
    assert entries(broken) == entries(unbroken)
    first, second = (read_checkpoint(c.folder / "last.ckpt") for c in (unbroken, broken))
    for name in ("layer", "whitening"):
        assert same(first["distillation"][name], second["distillation"][name])
    moments = [content["optimizer"]["state"] for content in (first, second)]
    assert len(moments[0]) == len(moments[1]) > len(first["model"])  # the layers have theirs
    assert all(same(moments[0][n], moments[1][n]) for n in moments[0])


def test_whole_cells_are_dropped_in_a_step(
    taught: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    def listen(loop: Loop) -> None:
        loop._model.backbone.blocks[0].register_forward_hook(
            lambda module, inputs, output: lengths.append(output.shape[1])
        )

    after_step(monkeypatch, 1, listen)
    train(taught("trainer.max_steps=3", "distillation.keep=0.5"))
    assert lengths == [1 + 2] * 2  # of four patches, each a cell


def test_another_teacher_is_refused_when_resuming(
    taught: Callable[..., Config], tmp_path: Path
) -> None:
    train(taught("trainer.max_steps=1"))
    moved = write_teacher(tmp_path / "moved.onnx")
    train(taught("trainer.max_steps=2", f"distillation.teacher={moved}"), resume=True)
    other = write_teacher(tmp_path / "other.onnx", seed=1)
    with pytest.raises(TrainingError, match="the teacher is another one"):
        train(taught("trainer.max_steps=3", f"distillation.teacher={other}"), resume=True)
    with pytest.raises(TrainingError, match=r"with other values of trainer\.epochs: resume"):
        train(taught("trainer.epochs=7"), resume=True)  # the cosine ends elsewhere


def test_gradients_are_clipped(
    taught: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []

    def measure(loop: Loop) -> None:
        gradients = [p.grad.norm() for p in loop._parameters if p.grad is not None]
        norms.append(torch.stack(gradients).norm().item())

    after_step(monkeypatch, 1, measure)
    train(taught("trainer.max_steps=1", "optimizer.clip=0.01"))
    train(taught("trainer.max_steps=1", "optimizer.clip=null", "name=unclipped"))
    assert norms[0] == pytest.approx(0.01, rel=1e-3)
    assert norms[1] > 0.02


def test_a_mistake_in_distillation_is_one_line_and_leaves_no_folder(
    taught: Callable[..., Config], tmp_path: Path
) -> None:
    mistakes: dict[str, str] = {
        f"distillation.teacher={tmp_path / 'none.onnx'}": "no teacher .*none.onnx",
        "model.strategy=multi-conv": "model.strategy must be full with distillation",
        "model.backbone=none.safetensors": "model.layer_scale is where random weights start",
        "distillation.map=middle": "has no tensor middle: distillation.map must be one of its 5",
    }
    for override, message in mistakes.items():
        with pytest.raises(SelaVPRError, match=message) as error:
            train(taught(override))
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"model\.head boq needs to know where patches are"):
        train(taught("model.head=boq", "distillation.keep=0.5"))
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_from_before_there_were_teachers_goes_on(
    configure: Callable[..., Config],
) -> None:
    overrides = ("trainer.epochs=2", "optimizer.halve_every=1")
    expected = weights(train(configure(*overrides, "name=unbroken")))
    config = configure(*overrides)
    train(configure(*overrides, "trainer.max_steps=3"))
    content: dict[str, Any] = read_checkpoint(config.folder / "last.ckpt")
    assert "distillation" not in content
    del content["format"]
    # What torch's StepLR kept there; the rates follow from step and epoch.
    content["scheduler"] = {"step_size": 1, "gamma": 0.5, "last_epoch": 0, "_step_count": 1}
    write_checkpoint(config.folder / "last.ckpt", content)
    config_file = config.folder / "config.yaml"
    lines = config_file.read_text().splitlines(keepends=True)
    new = ("  layer_scale:", "  schedule:", "  warmup:", "  clip:", "distillation:")
    config_file.write_text("".join(line for line in lines if not line.startswith(new)))
    assert same(weights(train(config, resume=True)), expected)


VIEWS = (
    "distillation.views=2",
    "data.randaugment=0",
    "data.viewpoint=0.6",
    "data.light=0.6",
)


def noted(config: Config) -> list[Path]:
    return sorted(config.folder.glob("teacher-*"))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files of notes that were begun."""
    begun: list[Path] = []

    def making(path: Path, teacher: Teacher, views: int) -> None:
        begun.append(path)
        make_notes(path, teacher, views)

    monkeypatch.setattr(distilling, "make_notes", making)
    return begun


def stopped(config: Config, **options: bool) -> str:
    """Train until SIGTERM comes; return what is told."""
    with pytest.raises(Stopped) as stop:
        train(config, **options)
    assert stop.value.code == 143
    return stop.value.message


def terminate(_: Loop) -> None:
    signal.raise_signal(signal.SIGTERM)


def test_targets_are_what_the_teacher_says_of_the_views_without_their_light(
    taught: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Tensor, Tensor, Lesson]] = []
    whitenings: list[Any] = []
    lesson = Distilling.lesson

    def watched(self: Distilling, images: Tensor, views: Tensor) -> Lesson:
        seen.append((images, views, lesson(self, images, views)))
        whitenings.append(self._whitening)
        return seen[-1][2]

    monkeypatch.setattr(Distilling, "lesson", watched)
    config = taught(*VIEWS, "trainer.max_steps=1")
    train(config)
    ((images, numbers, given),) = seen
    index = PlaceIndex.load(config.data.index, config.data.roots)
    views = Views(index, batch_settings(config.data, 2), config.seed)
    clean = torch.stack([views[number] for number in numbers.tolist()])
    assert config.distillation is not None
    teacher = Teacher(config.distillation.teacher, "map", config.data.size, torch.device("cpu"))

    def targets(pictures: Tensor) -> Tensor:
        return whitenings[0](teacher(pictures).flatten(2).transpose(1, 2))

    torch.testing.assert_close(given.targets, targets(clean), rtol=0, atol=0.02)
    assert (given.targets - targets(images)).abs().max() > 0.2


def test_a_run_with_notes_goes_on_bit_for_bit_and_asks_the_teacher_once(
    taught: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, looks: list[Path]
) -> None:
    overrides = (*VIEWS, "trainer.epochs=2", "distillation.keep=0.5")
    unbroken, broken = (taught(f"name={name}", *overrides) for name in ("unbroken", "broken"))
    expected = weights(train(unbroken))
    assert not noted(unbroken)
    for step in (2, 5):  # in either epoch
        with monkeypatch.context() as patch:
            after_step(patch, step, terminate)
            stopped(broken, resume=step > 2)
        assert [path.suffix for path in noted(broken)] == [".npy"]
    assert same(weights(train(broken, resume=True)), expected)
    assert entries(broken) == entries(unbroken)
    assert len(looks) == 2
    assert not noted(broken)
    train(broken, resume=True)  # it has ended: there is nothing to look at
    assert len(looks) == 2


def test_a_run_that_is_stopped_while_the_teacher_looks_begins_again(
    taught: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, looks: list[Path]
) -> None:
    def interrupted(*arguments: Any) -> Iterator[int]:
        for views in write_notes(*arguments):
            signal.raise_signal(signal.SIGTERM)
            yield views

    overrides = (*VIEWS, "trainer.max_steps=2")
    broken = taught("name=broken", *overrides)
    with monkeypatch.context() as patch:
        patch.setattr(distilling, "write_notes", interrupted)
        assert "SIGTERM: saved at step 0" in stopped(broken)
    assert [path.suffix for path in noted(broken)] == [".part"]
    result = weights(train(broken, resume=True))
    assert looks == [looks[0]] * 2
    assert not noted(broken)
    assert same(result, weights(train(taught("name=unbroken", *overrides))))


@pytest.mark.parametrize("other", ["teacher", "index"])
def test_notes_of_another_teacher_or_index_are_not_used(
    taught: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    looks: list[Path],
    other: str,
) -> None:
    config = taught(*VIEWS, "trainer.epochs=1")
    after_step(monkeypatch, 1, terminate)
    stopped(config)
    (notes,) = noted(config)
    # Killed before the first checkpoint, a run has nothing but them.
    (config.folder / "last.ckpt").unlink()
    stopped(config, resume=True)
    assert len(looks) == 1
    (config.folder / "last.ckpt").unlink()
    if other == "teacher":
        path = write_teacher(tmp_path / "other.onnx", seed=1)
        changed = taught(*VIEWS, "trainer.epochs=1", f"distillation.teacher={path}")
    else:
        path = write_places(tmp_path / "other", places=12)
        changed = taught(*VIEWS, "trainer.epochs=1", f"data.index={path}")
    stopped(changed, resume=True)
    assert len(looks) == 2
    assert len(noted(changed)) == 1
    assert noted(changed) != [notes]


def test_randaugment_would_not_show_what_the_teacher_saw(taught: Callable[..., Config]) -> None:
    config = taught(*VIEWS, "data.randaugment=1")
    with pytest.raises(ConfigError, match=r"with distillation\.views data\.randaugment must be 0"):
        train(config)
    assert not config.folder.exists()


def test_two_processes_look_and_learn_as_one(
    taught: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFolder, "remove_notes", lambda *_: None)
    settings = (*VIEWS, "trainer.max_steps=2", "distillation.metric_weight=0.5")
    one, two = (taught(*settings, f"name={name}") for name in ("one", "two"))
    train(one)
    path = tmp_path / "two.yaml"
    path.write_text(two.to_yaml())
    ended = train_as_two(tmp_path, ["--config", str(path)])
    assert [code for code, _ in ended] == [0, 0], ended
    assert "2 x cpu" in ended[0][1]
    notes = [np.load(noted(config)[0]) for config in (one, two)]
    assert notes[0].any()
    assert np.array_equal(*notes)
    curves = [[entry["distillation"] for entry in entries(config)] for config in (one, two)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)
    states = [torch.load(tmp_path / f"{rank}.pt")["state"] for rank in range(2)]
    assert same(*states)


def test_all_processes_end_where_one_cannot_look_on(
    taught: Callable[..., Config], tmp_path: Path
) -> None:
    def failing(*arguments: Any) -> Iterator[int]:
        yield from islice(write_notes(*arguments), 1)
        raise TrainingError("no more of this")

    def prepare(rank: int) -> None:
        if rank == 1:
            distilling.write_notes = failing  # type: ignore[assignment]

    config = taught(*VIEWS)
    path = tmp_path / "two.yaml"
    path.write_text(config.to_yaml())
    (code, told), (helper_code, helper_told) = train_as_two(
        tmp_path, ["--config", str(path)], prepare
    )
    assert (code, told.splitlines()[-1]) == (2, "error: no more of this"), told
    assert (helper_code, helper_told) == (0, "")
    assert [path.suffix for path in noted(config)] == [".part"]
