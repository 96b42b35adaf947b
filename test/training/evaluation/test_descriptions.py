from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import StorageError
from selavpr_core.preprocessing import Preprocessing
from selavpr_core.storage.lock import lock_folder, unlock
from training.errors import EvaluationError
from training.evaluation import descriptions
from training.evaluation.descriptions import Descriptions, ImageList, describe_once

from .fakes import DIM, FakeDescriber, code, vector, write_image


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [write_image(tmp_path / "images" / f"{n}.png", n) for n in range(8)]


def described(
    describer: Any, paths: list[Path], cache: Path, dtype: Any = np.float16, side: int | None = None
) -> Descriptions:
    return describe_once(describer, ImageList(paths, side, dtype, "images"), cache, 2, False)


def test_descriptions_are_written_once(paths: list[Path], tmp_path: Path) -> None:
    first, second = FakeDescriber(), FakeDescriber()
    one = described(first, paths, tmp_path / "cache")
    two = described(second, paths, tmp_path / "cache")
    assert first.seen == list(range(8))
    assert second.seen == []
    for found in (one, two):
        assert isinstance(found.descriptors, np.memmap)
        assert isinstance(found.codes, np.memmap)
        assert found.codes.tolist() == [code(n).tolist() for n in range(8)]
        assert (found.descriptors == [vector(n).astype(np.float16) for n in range(8)]).all()
        assert found.readable.tolist() == list(range(8))


CHANGES = {
    "weights": {"fingerprint": "cd" * 32},
    "preprocessing": {"preprocessing": Preprocessing(size=(42, 28))},
    "precision": {"precision": "bf16"},
    "device": {"device": "cuda:0"},
}


@pytest.mark.parametrize("attributes", CHANGES.values(), ids=CHANGES)
def test_other_settings_are_described_anew(
    paths: list[Path], tmp_path: Path, attributes: dict[str, Any]
) -> None:
    described(FakeDescriber(), paths, tmp_path / "cache")
    other = FakeDescriber(**attributes)
    described(other, paths, tmp_path / "cache")
    assert other.seen == list(range(8))
    again = FakeDescriber()
    described(again, paths, tmp_path / "cache")
    assert again.seen == []  # neither replaced the other


@pytest.mark.parametrize("change", [{"dtype": np.float32}, {"side": 2}], ids=str)
def test_another_type_or_size_of_queries_is_described_anew(
    paths: list[Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    described(FakeDescriber(), paths, tmp_path / "cache")
    other = FakeDescriber()
    described(other, paths, tmp_path / "cache", **change)
    assert other.seen == list(range(8))


def _rewritten(paths: list[Path]) -> list[Path]:
    before = paths[3].stat()
    write_image(paths[3], 30)
    os.utime(paths[3], ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    return paths


def _grown(paths: list[Path]) -> list[Path]:
    before = paths[3].stat()
    paths[3].write_bytes(paths[3].read_bytes() + b"0")
    os.utime(paths[3], ns=(before.st_atime_ns, before.st_mtime_ns))
    return paths


def _moved(paths: list[Path]) -> list[Path]:
    return [path.rename(path.with_name(f"new{path.name}")) for path in paths]


FILES = {
    "time": _rewritten,
    "size": _grown,
    "paths": _moved,
    "order": lambda paths: paths[::-1],
    "fewer": lambda paths: paths[:-1],
    "other": lambda paths: [write_image(p.parent / "b" / p.name, 9) for p in paths],
}


@pytest.mark.parametrize("change", FILES.values(), ids=FILES)
def test_other_files_are_described_anew(paths: list[Path], tmp_path: Path, change: Any) -> None:
    described(FakeDescriber(), paths, tmp_path / "cache")
    changed = change(paths)
    describer = FakeDescriber()
    found = described(describer, changed, tmp_path / "cache")
    assert len(describer.seen) == len(changed)
    assert found.descriptors is not None
    assert (found.descriptors == [vector(n).astype(np.float16) for n in describer.seen]).all()


def test_an_image_that_appears_is_described(paths: list[Path], tmp_path: Path) -> None:
    missing = [*paths, tmp_path / "late.png"]
    assert described(FakeDescriber(), missing, tmp_path / "cache").unreadable.keys() == {8}
    write_image(tmp_path / "late.png", 8)
    assert described(FakeDescriber(), missing, tmp_path / "cache").unreadable == {}


def test_unreadable_images_keep_their_rows(paths: list[Path], tmp_path: Path) -> None:
    paths[0].write_bytes(b"no image")
    paths[4].unlink()
    paths[7].write_bytes(paths[7].read_bytes()[:40])
    for _ in range(2):  # described, then from the cache
        found = described(FakeDescriber(), paths, tmp_path / "cache")
        assert found.unreadable.keys() == {0, 4, 7}
        assert found.unreadable[4] == "there is no such file"
        assert found.readable.tolist() == [1, 2, 3, 5, 6]
        assert found.descriptors is not None
        for n in found.readable:
            assert (found.descriptors[n] == vector(n).astype(np.float16)).all()


class Interrupted(FakeDescriber):
    """A describer that is interrupted after two batches."""

    def stream(self, images: Any) -> Any:
        for i, description in enumerate(super().stream(images)):
            if i == 2:
                raise KeyboardInterrupt
            yield description


def test_an_interrupted_description_goes_on(paths: list[Path], tmp_path: Path) -> None:
    paths[1].unlink()
    with pytest.raises(KeyboardInterrupt):
        described(Interrupted(), paths, tmp_path / "cache")
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".partial"]
    describer = FakeDescriber()
    found = described(describer, paths, tmp_path / "cache")
    assert describer.seen == [7]  # six of the seven that can be read were done
    assert found.unreadable.keys() == {1}
    assert found.codes is not None
    for n in found.readable:
        assert (found.codes[n] == code(n)).all()
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [""]


def test_what_was_never_brought_to_the_disk_is_described_again(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9 between two checkpoints: the files are there, and no word of what is in."""
    with monkeypatch.context() as patch:
        patch.setattr(descriptions._PartialFiles, "write", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            described(Interrupted(), paths, tmp_path / "cache")
    describer = FakeDescriber()
    described(describer, paths, tmp_path / "cache")
    assert describer.seen == list(range(8))


KILLED = """
import os, signal, sys
from pathlib import Path
from test.training.evaluation.fakes import FakeDescriber
from training.evaluation import descriptions

class Killed(FakeDescriber):
    def stream(self, images):
        for i, description in enumerate(super().stream(images)):
            if i == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield description

descriptions._CHECKPOINT_SECONDS = -1.0
images = descriptions.ImageList([Path(p) for p in sys.argv[2:]], None, "float16", "images")
descriptions.describe_once(Killed(), images, Path(sys.argv[1]), 1, False)
"""


def test_a_killed_description_goes_on_from_its_last_checkpoint(
    paths: list[Path], tmp_path: Path, project: Path
) -> None:
    arguments = [str(path) for path in (tmp_path / "cache", *paths)]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=project, check=False)
    assert ended.returncode == -signal.SIGKILL
    describer = FakeDescriber()
    found = described(describer, paths, tmp_path / "cache")
    assert describer.seen == [6, 7]
    assert found.codes is not None
    assert found.codes.tolist() == [code(n).tolist() for n in range(8)]


@pytest.mark.parametrize("damage", ["cut", "gone", "meta"])
def test_a_damaged_entry_is_made_anew(paths: list[Path], tmp_path: Path, damage: str) -> None:
    described(FakeDescriber(), paths, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    if damage == "cut":
        os.truncate(entry / "descriptors.npy", 200)
    elif damage == "gone":
        (entry / "codes.npy").unlink()
    else:
        (entry / "meta.json").write_text("{")
    describer = FakeDescriber()
    found = described(describer, paths, tmp_path / "cache")
    assert describer.seen == list(range(8))
    assert found.readable.tolist() == list(range(8))


def test_one_process_writes_at_a_time(paths: list[Path], tmp_path: Path) -> None:
    described(FakeDescriber(), paths, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    shutil.rmtree(entry)
    partial = entry.with_name(f"{entry.name}.partial")
    partial.mkdir()
    lock = lock_folder(partial)
    with pytest.raises(StorageError, match="another program"):
        described(FakeDescriber(), paths, tmp_path / "cache")
    unlock(lock)
    assert len(described(FakeDescriber(), paths, tmp_path / "cache").readable) == 8


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_descriptors_that_cannot_be_compared_are_refused(
    paths: list[Path], tmp_path: Path, value: float
) -> None:
    describer = FakeDescriber(vectors={5: np.full(DIM, value)})
    with pytest.raises(EvaluationError, match="not finite"):
        described(describer, paths, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="file/"):
        described(FakeDescriber(), paths, tmp_path / "file")


def test_weights_of_one_branch_give_what_they_have(paths: list[Path], tmp_path: Path) -> None:
    for branches in (("float",), ("hash",)):
        describer = FakeDescriber(branches=branches, fingerprint=branches[0])
        found = described(describer, paths, tmp_path / "cache")
        assert (found.descriptors is None) == ("float" not in branches)
        assert (found.codes is None) == ("hash" not in branches)


def test_the_shorter_side_is_reduced_and_never_enlarged(tmp_path: Path) -> None:
    from training.evaluation.reading import read_query

    path = write_image(tmp_path / "wide.png", 1, (90, 60))
    assert read_query(path, None).shape == (60, 90, 3)
    assert read_query(path, 20).shape == (20, 30, 3)
    assert read_query(path, 60).shape == (60, 90, 3)
    assert read_query(path, 480).shape == (60, 90, 3)
    assert read_query(write_image(tmp_path / "tall.png", 1, (60, 90)), 20).shape == (30, 20, 3)


@pytest.mark.parametrize(("progress", "terminal"), [(True, True), (True, False), (False, True)])
def test_bars_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, progress: bool, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with descriptions.progress_bar("images", "image", 1, progress) as bar:
        assert bool(bar.disable) == (not (progress and terminal))
