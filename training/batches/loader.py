"""Batches read by worker processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from training.batches.dataset import PlaceBatch, PlaceDataset
from training.batches.sampler import PlaceSampler
from training.batches.settings import BatchSettings
from training.batches.views import Views
from training.errors import TrainingError
from training.index import PlaceIndex

T = TypeVar("T")

_CUT_OFF = (ConnectionError, EOFError)
"""What torch lets through where a worker dies that it still takes for alive."""


def make_loader(
    index: PlaceIndex,
    settings: BatchSettings,
    sampler: PlaceSampler,
    workers: int,
    pin_memory: bool = False,
) -> DataLoader[PlaceBatch]:
    """Return a loader of a sampler's batches.

    workers: processes that read images, each a batch at a time; 0 reads in this process. They live
        as long as the loader, and their number does not change the batches.
    pin_memory: put batches where a GPU can fetch them by itself.

    Iterating raises TrainingError where no image of a batch and of other places of its group can be
    decoded, or a worker died.
    """
    return _PlaceLoader(
        PlaceDataset(index, settings),
        batch_size=None,  # the sampler's items are batches already
        sampler=sampler,
        collate_fn=_as_it_is,  # type: ignore[arg-type]
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_parent,
        generator=torch.Generator(),  # else torch's global one is drawn from at each epoch
    )


def make_view_loader(
    views: Views, numbers: Sequence[int], together: int, workers: int
) -> DataLoader[Tensor]:
    """Return a loader of some views in their order, [N, 3, H, W] uint8 each time.

    together: N, but for the last ones. workers: as in `make_loader`.

    Iterating raises TrainingError where a worker died.
    """
    return _Loader(
        Subset(views, numbers),
        batch_size=together,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_parent,
        generator=torch.Generator(),
    )


def worker_death(error: BaseException) -> TrainingError | None:
    """Return what to tell the user if an error says that a worker died, else None.

    torch raises it in whatever the process is doing at that moment, not only in the loader.
    """
    if isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker (pid"):
        return _died(str(error).splitlines()[0].strip(" ."))
    return None


def _died(detail: str) -> TrainingError:
    return TrainingError(
        f"a process that reads images died ({detail}):"
        " if the machine ran out of memory (or of /dev/shm), use fewer workers"
    )


class _Loader(DataLoader[T]):
    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        # OpenCV's threads do not come along into a worker, which would wait for them for ever; and
        # there is a worker for each core.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            batches = super().__iter__()
        except _CUT_OFF as error:
            raise _died("it was cut off while it sent a batch") from error
        finally:
            cv2.setNumThreads(threads)
        return _told_of_deaths(batches)


class _PlaceLoader(_Loader[PlaceBatch]):
    def __iter__(self) -> Iterator[PlaceBatch]:  # type: ignore[override]
        return map(_checked, super().__iter__())


def _checked(batch: PlaceBatch) -> PlaceBatch:
    # Pinning makes lists of tuples.
    undecodable = [(path, reason) for path, reason in batch.undecodable]
    if not batch.paths:
        path, reason = undecodable[0]
        raise TrainingError(
            "no image can be decoded, of a whole batch and of other places of its group"
            f" ({len(undecodable)} tried; {path}: {reason}): is the data where the index says?"
        )
    return batch._replace(undecodable=undecodable)


def _told_of_deaths(batches: Iterator[T]) -> Iterator[T]:
    try:
        yield from batches
    except _CUT_OFF as error:
        raise _died("it was cut off while it sent a batch") from error
    except RuntimeError as error:
        if death := worker_death(error):
            raise death from error
        raise


def _as_it_is(batch: PlaceBatch) -> PlaceBatch:
    return batch


def _leave_signals_to_the_parent(worker: int) -> None:
    """Let Ctrl-C and SIGTERM, which often reach a whole process group, end the parent alone.

    It may have a checkpoint to write, and ends its workers itself: by SIGTERM, where they do not
    end when told, so that its own must be told from those of others.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_the_parent_says_so, daemon=True).start()


def _end_when_the_parent_says_so() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
