from __future__ import annotations

import errno
import os
from itertools import zip_longest
from pathlib import Path

import pytest
import torch
from torch import Tensor

from test.training.distillation.graphs import write_teacher
from training.distillation import Notes, Teacher, make_notes, write_notes
from training.errors import TrainingError

CPU = torch.device("cpu")
VIEWS = torch.randint(
    0, 256, (11, 3, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


@pytest.fixture
def teacher(tmp_path: Path) -> Teacher:
    return Teacher(write_teacher(tmp_path / "teacher.onnx"), "map", (28, 28), CPU)


def assert_said(notes: Notes, teacher: Teacher, numbers: Tensor) -> None:
    read = notes.maps(numbers)
    assert read.shape == (len(numbers), 8, 2, 2)
    assert read.dtype == torch.float32
    assert torch.allclose(read, teacher(VIEWS[numbers]), rtol=2**-10, atol=1e-6)


def test_notes_are_what_the_teacher_says_in_half_precision(
    teacher: Teacher, tmp_path: Path
) -> None:
    path = tmp_path / "notes.npy"
    make_notes(path, teacher, len(VIEWS))
    assert list(write_notes(path, teacher, VIEWS.split(4), 0)) == [4, 4, 3]
    notes = Notes(path, teacher)
    assert_said(notes, teacher, torch.arange(len(VIEWS)))
    assert_said(notes, teacher, torch.tensor([9, 2, 2, 0]))
    assert notes.maps(torch.empty(0, dtype=torch.int64)).shape == (0, 8, 2, 2)


def test_shares_are_written_side_by_side(teacher: Teacher, tmp_path: Path) -> None:
    path = tmp_path / "notes.npy"
    make_notes(path, teacher, len(VIEWS))
    shares = [write_notes(path, teacher, VIEWS[start:].split(2)[:3], start) for start in (0, 6)]
    assert list(zip_longest(*shares)) == [(2, 2), (2, 2), (2, 1)]  # turn by turn
    assert_said(Notes(path, teacher), teacher, torch.arange(len(VIEWS)))


def test_a_new_file_replaces_an_old_one_and_has_all_of_its_room(
    teacher: Teacher, tmp_path: Path
) -> None:
    path = tmp_path / "notes.npy"
    path.write_bytes(b"what was left of an interruption" * 10_000)
    make_notes(path, teacher, 5000)
    size = 5000 * (8 * 2 * 2) * 2
    assert size < path.stat().st_size < size + 1000
    assert 512 * path.stat().st_blocks >= path.stat().st_size


def test_a_full_disk_is_one_line_and_leaves_no_file(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    path = tmp_path / "notes.npy"
    message = r"notes\.npy cannot be written, 0\.1 GB .*: No space left on device; make room, or"
    with pytest.raises(TrainingError, match=message) as error:
        make_notes(path, teacher, 1_000_000)
    assert "\n" not in str(error.value)
    assert not path.exists()
    with pytest.raises(TrainingError, match=r"cannot be written.*: No such file or directory"):
        make_notes(tmp_path / "none" / "notes.npy", teacher, 1)


def test_what_half_precision_cannot_hold_is_refused(teacher: Teacher, tmp_path: Path) -> None:
    class Loud(Teacher):
        def __call__(self, images: Tensor) -> Tensor:
            return 1e6 * (super().__call__(images) + 1)

    path = tmp_path / "notes.npy"
    make_notes(path, teacher, len(VIEWS))
    loud = Loud(tmp_path / "teacher.onnx", "map", (28, 28), CPU)
    with pytest.raises(TrainingError, match=r"cannot hold: use distillation\.views=0"):
        list(write_notes(path, loud, VIEWS.split(4), 0))
