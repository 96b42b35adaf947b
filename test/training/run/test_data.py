"""What of a configuration decides about batches, and what a rank reads of them."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.index import PlaceIndex
from training.run.config import DataConfig
from training.run.data import batch_settings, make_batches, reading_processes

from .conftest import write_places


def fabric(rank: int = 0, ranks: int = 1) -> Any:
    """What the batches ask of Lightning's Fabric, for one of several processes."""
    return SimpleNamespace(
        global_rank=rank,
        world_size=ranks,
        device=torch.device("cpu"),
        strategy=SimpleNamespace(num_nodes=1),
    )


def config(index: Path, **more: Any) -> DataConfig:
    return DataConfig.model_validate(
        {"index": index, "places": 6, "images": 2, "size": [28, 42], "workers": 0, **more}
    )


def test_every_setting_arrives_under_its_own_name(tmp_path: Path) -> None:
    values = {"randaugment": 2, "viewpoint": 0.25, "light": 0.75}
    made = asdict(batch_settings(config(tmp_path, **values), views=3))
    assert made == {"places": 6, "images": 2, "size": (28, 42), "views": 3, **values}


def test_ranks_read_one_batch_between_them(tmp_path: Path) -> None:
    index = PlaceIndex.load(write_places(tmp_path))
    data = config(tmp_path)
    settings = batch_settings(data)

    def batches(rank: int, ranks: int) -> list[list[int]]:
        sampler, loader = make_batches(data, index, settings, 5, fabric(rank, ranks))
        read = [batch.images for batch in loader]
        wanted = [[request.place for request in batch] for batch in sampler]
        assert [tuple(images.shape) for images in read] == [
            (len(places) * 2, 3, 28, 42) for places in wanted
        ]
        return wanted

    alone, first, second = batches(0, 1), batches(0, 2), batches(1, 2)
    assert len(alone) == len(first) == len(second) > 1
    for whole, one, other in zip(alone, first, second, strict=True):
        assert sorted(one + other) == sorted(whole)


@pytest.mark.parametrize("workers", [0, 3])
def test_reading_processes_are_those_asked_for(tmp_path: Path, workers: int) -> None:
    assert reading_processes(config(tmp_path, workers=workers), fabric()) == workers


def test_unasked_the_processes_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    data = config(tmp_path, workers=None)
    assert [reading_processes(data, fabric(0, ranks)) for ranks in (1, 4)] == [12, 3]
