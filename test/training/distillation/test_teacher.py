from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from test.training.distillation.graphs import write_teacher
from training.distillation import Teacher
from training.errors import ConfigError

CPU = torch.device("cpu")


def images(count: int, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


def maps_of(path: Path, batch: Tensor) -> np.ndarray:
    """What onnxruntime says of uint8 images, one at a time."""
    session = onnxruntime.InferenceSession(path)
    scaled = [image.numpy()[None].astype(np.float32) / 127.5 - 1 for image in batch]
    return np.concatenate([session.run(["map"], {"image": image})[0] for image in scaled])


def test_maps_are_those_of_onnxruntime(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "teacher.onnx", side=42)
    teacher = Teacher(path, "map", (42, 42), CPU)
    assert (teacher.channels, teacher.grid) == (8, (3, 3))
    batch = images(37, 42)  # more than it takes at once
    maps = teacher(batch)
    assert maps.dtype == torch.float32
    assert np.allclose(maps.numpy(), maps_of(path, batch), atol=1e-5)
    assert maps.std() > 0.01


def test_a_map_may_lie_between_the_layers(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "teacher.onnx", side=42)
    mixed = Teacher(path, "mixed", (42, 42), CPU)(images(3, 42))
    assert mixed.min() < 0  # before the ReLU that makes the map of it
    assert np.allclose(mixed.relu().numpy(), maps_of(path, images(3, 42)), atol=1e-5)


def test_a_teacher_may_see_images_in_another_size(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "teacher.onnx", side=42)
    teacher = Teacher(path, "map", (28, 56), CPU)
    assert teacher.grid == (2, 4)
    colours = images(2, 1)
    halves = [colour.expand(3, 30, 40) for colour in colours]
    maps = teacher(torch.cat(halves, dim=2)[None])  # 30 x 80
    for column, half in ((0, halves[0]), (3, halves[1])):  # beyond what the border blurs
        alone = teacher(half[None, :, :28, :1].expand(1, 3, 28, 56))
        assert torch.allclose(maps[..., column], alone[..., column], atol=1e-4)


def test_file_map_and_size_tell_teachers_apart(tmp_path: Path) -> None:
    first, second = (write_teacher(tmp_path / f"{seed}.onnx", seed=seed) for seed in (0, 1))
    said = [(first, "map", 28), (second, "map", 28), (first, "mixed", 28), (first, "map", 42)]
    digests = {Teacher(path, name, (side, side), CPU).digest for path, name, side in said}
    assert len(digests) == 4
    moved = first.rename(tmp_path / "moved.onnx")
    assert Teacher(moved, "map", (28, 28), CPU).digest in digests


@pytest.mark.shared
def test_maps_of_a_real_teacher_are_those_of_onnxruntime(shared: Path) -> None:
    path = shared / "data" / "teacher" / "mobilenet_v1_imagenet_embed.onnx"
    teacher = Teacher(path, "map", (224, 224), CPU)
    assert (teacher.channels, teacher.grid) == (1024, (7, 7))
    batch = images(3, 224)
    assert np.allclose(teacher(batch).numpy(), maps_of(path, batch), atol=1e-3)
    middle = Teacher(path, "/Clip_18_output_0", (256, 256), CPU)
    assert (middle.channels, middle.grid) == (512, (16, 16))


def test_a_teacher_that_does_not_fit_is_named_in_one_line(tmp_path: Path) -> None:
    write_teacher(tmp_path / "good.onnx")
    write_teacher(tmp_path / "four.onnx", colours=4)
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "half.onnx").write_bytes((tmp_path / "good.onnx").read_bytes()[:100])
    for name, of_map, side, message in (
        ("none", "map", 28, r"no teacher .*none\.onnx: give an ONNX file \(distillation\.teach"),
        ("text", "map", 28, r"teacher .*text\.onnx cannot be read as ONNX"),
        ("half", "map", 28, r"teacher .*half\.onnx cannot be read as ONNX"),
        ("good", "none", 28, "has no tensor none: distillation.map must be one of its 5, the last"),
        ("good", "embedding", 28, r"embedding is \[2, 8\] for two images, instead of a map"),
        ("four", "map", 28, "cannot describe RGB images of 28 x 28: give another teacher, or an"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            Teacher(tmp_path / f"{name}.onnx", of_map, (side, side), CPU)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_without_its_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    path = write_teacher(tmp_path / "teacher.onnx")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"needs {library}, .*: pip install -e '\.\[train\]'"):
        Teacher(path, "map", (28, 28), CPU)
