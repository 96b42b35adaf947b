from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from training.batches import (
    BatchSettings,
    PlaceBatch,
    PlaceSampler,
    make_loader,
    worker_death,
)
from training.batches.loader import _told_of_deaths
from training.errors import TrainingError
from training.index import PlaceIndex


def epochs(
    index: PlaceIndex, settings: BatchSettings, workers: int, count: int = 3
) -> list[list[PlaceBatch]]:
    """Read some epochs with one loader, the second of which is given up after a batch."""
    sampler = PlaceSampler(index, settings, seed=4)
    loader = make_loader(index, settings, sampler, workers)
    result = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        batches = iter(loader)
        result.append([next(batches)] if epoch == 1 else list(batches))
    return result


def assert_same(ours: list[PlaceBatch], others: list[PlaceBatch]) -> None:
    assert len(ours) == len(others)
    for our, other in zip(ours, others, strict=True):
        assert torch.equal(our.images, other.images)
        assert torch.equal(our.labels, other.labels)
        assert torch.equal(our.views, other.views)
        assert (our.paths, our.undecodable) == (other.paths, other.undecodable)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
@pytest.mark.parametrize("workers", [1, 4])
def test_batches_are_the_same_with_any_number_of_workers(
    index: PlaceIndex, settings: BatchSettings, workers: int
) -> None:
    for row in (0, 1):  # of 5 images of place 0, 4 of which are drawn
        index.path(row).write_bytes(b"")
    expected = epochs(index, settings, 0)
    assert any(batch.undecodable for batch in expected[0])
    assert [batch.paths for batch in expected[0]] != [batch.paths for batch in expected[2]]
    for ours, others in zip(epochs(index, settings, workers), expected, strict=True):
        assert_same(ours, others)


def test_a_worker_does_not_wait_for_threads_that_opencv_has_in_the_parent(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    settings = replace(settings, viewpoint=0.5, light=0.5)
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        for _ in range(3):  # large enough for OpenCV to start its threads
            cv2.GaussianBlur(np.zeros((1000, 1000, 3), np.uint8), (0, 0), 3)
        ours = epochs(index, settings, workers=1, count=1)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
    assert_same(ours[0], epochs(index, settings, workers=0, count=1)[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_is_resumed_with_the_same_bytes(
    index: PlaceIndex, settings: BatchSettings, workers: int
) -> None:
    expected = epochs(index, settings, 0)[2]
    sampler = PlaceSampler(index, settings, seed=4)
    loader = make_loader(index, settings, sampler, workers)
    sampler.set_epoch(2)
    sampler.set_start(2)
    assert len(loader) == len(expected)
    assert_same(list(loader), expected[2:])


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_generator_is_left_alone(
    index: PlaceIndex, settings: BatchSettings, workers: int
) -> None:
    loader = make_loader(index, settings, PlaceSampler(index, settings, seed=4), workers)
    before = torch.get_rng_state()
    for _ in loader:
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_that_is_gone_ends_with_one_line(
    index: PlaceIndex, settings: BatchSettings, workers: int
) -> None:
    for row in range(index.images):
        index.path(row).unlink()
    loader = make_loader(index, settings, PlaceSampler(index, settings, seed=4), workers)
    message = ""
    try:  # pytest.raises would keep the workers for the garbage collector to end
        next(iter(loader))
    except TrainingError as error:
        message = str(error)
    assert re.search(r"\(25 tried; .*: there is no such file\)", message)
    assert "\n" not in message


@pytest.fixture
def loader(index: PlaceIndex, settings: BatchSettings) -> DataLoader[PlaceBatch]:
    return make_loader(index, settings, PlaceSampler(index, settings, seed=4), workers=2)


def processes(loader: DataLoader[PlaceBatch]) -> list[BaseProcess]:
    return list(loader._iterator._workers)


def test_workers_leave_signals_to_the_parent_and_live_on(
    loader: DataLoader[PlaceBatch],
) -> None:
    first = list(loader)
    workers = processes(loader)
    for name in ("INT", "TERM"):  # from another process, as a shell or a scheduler sends them
        subprocess.run(["kill", f"-{name}", *(str(worker.pid) for worker in workers)], check=True)
    assert_same(list(loader), first)
    assert all(worker.is_alive() for worker in workers)
    assert processes(loader) == workers


def test_a_worker_that_dies_ends_the_epoch_with_one_line(loader: DataLoader[PlaceBatch]) -> None:
    def read_on_after_a_death() -> None:
        next(iter(loader))
        for worker in processes(loader):
            worker.kill()
        for worker in processes(loader):  # so that no news is left for the next test
            worker.join()
        for _ in range(10):
            list(loader)

    # The news may reach this process in the loader or anywhere else.
    with pytest.raises((TrainingError, RuntimeError)) as caught:
        read_on_after_a_death()
    error = caught.value
    death = error if isinstance(error, TrainingError) else worker_death(error)
    assert death is not None
    assert str(death).startswith("a process that reads images died")
    assert "use fewer workers" in str(death)
    assert "\n" not in str(death)


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset by peer"), EOFError()])
def test_a_worker_that_dies_while_it_sends_is_one_line(error: Exception) -> None:
    def cut_off() -> Iterator[PlaceBatch]:
        yield PlaceBatch(torch.empty(1), torch.empty(1), ["a.jpg"], [], torch.empty(0))
        raise error

    with pytest.raises(TrainingError, match="a process that reads images died"):
        list(_told_of_deaths(cut_off()))


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), ValueError("DataLoader worker")])
def test_other_errors_are_no_death_of_a_worker(error: Exception) -> None:
    assert worker_death(error) is None


def test_workers_end_with_the_loader(index: PlaceIndex, settings: BatchSettings) -> None:
    loader = make_loader(index, settings, PlaceSampler(index, settings, seed=4), workers=2)
    next(iter(loader))
    workers = processes(loader)
    del loader
    for worker in workers:
        worker.join(timeout=30)
    assert not any(worker.is_alive() for worker in workers)
