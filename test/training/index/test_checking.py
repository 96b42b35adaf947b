from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from test.training.datasets.trees import save_images
from training.datasets.source import MISSING, UNREADABLE, Candidate, Excluded
from training.index.checking import LEVELS, image_check


def reasons(root: Path, level: str, paths: list[str]) -> list[str]:
    candidates = [Candidate(path, "town") for path in paths]
    with image_check(level) as check:
        found = check(root, candidates)
    assert [entry.path for entry in found] == paths
    assert all(entry.faulty for entry in found if isinstance(entry, Excluded))
    return [entry.reason if isinstance(entry, Excluded) else "" for entry in found]


@pytest.mark.parametrize("level", LEVELS)
def test_what_each_level_finds(tmp_path: Path, level: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "short.jpg").write_bytes(whole[: len(whole) // 2])
    paths = [
        "whole.jpg",
        "gone.jpg",
        "a/gone.jpg",
        "empty.jpg",
        "text.jpg",
        "short.jpg",
        "\udcff.jpg",
    ]
    found = reasons(tmp_path, level, paths)
    assert found[:4] == ["", MISSING, MISSING, UNREADABLE]
    assert found[4] == ("" if level == "files" else UNREADABLE)
    assert found[5] == (UNREADABLE if level == "full" else "")
    assert found[6] == UNREADABLE


def test_a_name_with_a_nul_is_unreadable(tmp_path: Path) -> None:
    assert reasons(tmp_path, "files", ["a\0b.jpg"]) == [UNREADABLE]


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    assert reasons(tmp_path, "files", ["folder.jpg"]) == [UNREADABLE]


def test_many_images_keep_their_order(tmp_path: Path) -> None:
    save_images(tmp_path, [f"{number}.jpg" for number in range(0, 700, 7)])
    found = reasons(tmp_path, "files", [f"{number}.jpg" for number in range(700)])
    assert found == ["" if number % 7 == 0 else MISSING for number in range(700)]
