from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.run.config import Config
from training.run.folder import RunFolder
from training.run.journal import Journal, Undecodable


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def written(folder: RunFolder) -> list[tuple[int, float]]:
    entries = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    return [(entry["step"], entry["loss"]) for entry in entries]


def test_a_resumed_run_drops_what_comes_again(folder: RunFolder) -> None:
    journal = Journal(folder, step=0)
    for step in (1, 2, 3):
        journal.note(step, 1, {"loss": 0.5 * step})
    journal.close()
    with folder.metrics.open("a") as file:
        file.write('{"step": 4, "epo')  # where it was killed
    journal = Journal(folder, step=2)
    journal.note(3, 1, {"loss": 9.0})
    journal.close()
    assert written(folder) == [(1, 0.5), (2, 1.0), (3, 9.0)]


def test_metrics_are_for_tensorboard_too(folder: RunFolder) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(folder, step=0)
    journal.note(1, 1, {"loss": 0.5})
    journal.note(2, 1, {"loss": 0.25})
    journal.flush()
    journal.close()
    events = EventAccumulator(str(folder.path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]


def test_undecodable_images_are_listed_once_and_survive_a_resume(tmp_path: Path) -> None:
    path = tmp_path / "undecodable.txt"
    images = Undecodable(path)
    images.write()
    assert not path.exists()
    images.add([("b.jpg", "cut\nshort"), ("a.jpg", "not an image")])
    images.add([("b.jpg", "cut\nshort")])
    images.write()
    assert path.read_text() == "a.jpg\tnot an image\nb.jpg\tcut short\n"
    again = Undecodable(path)
    again.add([("c.jpg", "there is no such file")])
    assert len(again) == 3


def test_tensorboard_knows_the_configuration(folder: RunFolder) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    config = Config.model_validate({"name": "run", "data": {"index": "unified"}})
    journal = Journal(folder, step=0)
    journal.describe(config)
    journal.close()
    events = EventAccumulator(str(folder.path / "tensorboard")).Reload()
    content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    told = HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["optimizer.learning_rate"].number_value == 4e-4
    assert told["model.preset"].string_value == "base"
    assert told["trainer.max_steps"].string_value == "None"
    assert "data.index" in told
    assert not events.Tags()["scalars"]  # nothing was measured yet
