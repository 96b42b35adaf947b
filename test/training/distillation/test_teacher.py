from __future__ import annotations

import hashlib
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


def features_of(path: Path, batch: Tensor) -> list[np.ndarray]:
    """What onnxruntime says of uint8 images, one at a time."""
    session = onnxruntime.InferenceSession(path)
    scaled = [image.numpy()[None].astype(np.float32) / 127.5 - 1 for image in batch]
    said = [session.run(["embedding", "map"], {"image": image}) for image in scaled]
    return [np.concatenate(parts) for parts in zip(*said, strict=True)]


def test_features_are_those_of_onnxruntime(tmp_path: Path) -> None:
    path = write_teacher(tmp_path / "teacher.onnx", side=42)
    teacher = Teacher(path, (42, 42), CPU)
    assert (teacher.channels, teacher.grid) == ((8, 8), (3, 3))
    assert teacher.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    batch = images(37, 42)  # more than it takes at once
    embedding, maps = teacher(batch)
    assert embedding.dtype == maps.dtype == torch.float32
    for given, expected in zip((embedding, maps), features_of(path, batch), strict=True):
        assert np.allclose(given.numpy(), expected, atol=1e-5)
    assert embedding.std() > 0.01


@pytest.mark.shared
def test_features_of_a_real_teacher_are_those_of_onnxruntime(shared: Path) -> None:
    path = shared / "data" / "teacher" / "mobilenet_v1_imagenet_embed.onnx"
    teacher = Teacher(path, (224, 224), CPU)
    assert (teacher.channels, teacher.grid) == ((1024, 1024), (7, 7))
    batch = images(3, 224)
    for given, expected in zip(teacher(batch), features_of(path, batch), strict=True):
        assert np.allclose(given.numpy(), expected, atol=1e-3)


def test_a_teacher_that_does_not_fit_is_named_in_one_line(tmp_path: Path) -> None:
    write_teacher(tmp_path / "good.onnx")
    write_teacher(tmp_path / "others.onnx", outputs=("features", "map"))
    write_teacher(tmp_path / "swapped.onnx", outputs=("map", "embedding"))
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "half.onnx").write_bytes((tmp_path / "good.onnx").read_bytes()[:100])
    for name, side, message in (
        ("none", 28, r"no teacher .*none\.onnx: give an ONNX file \(distillation\.teacher=FILE\)"),
        ("text", 28, r"teacher .*text\.onnx cannot be read as ONNX"),
        ("half", 28, r"teacher .*half\.onnx cannot be read as ONNX"),
        ("others", 28, "has the inputs image and the outputs features, map: one image goes in"),
        ("swapped", 28, r"gives an embedding \[2, 8, 2, 2\] and a map \[2, 8\] for two images"),
        ("good", 42, r"n x 3 x 28 x 28, and cannot describe images of data\.size 42 x 42"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            Teacher(tmp_path / f"{name}.onnx", (side, side), CPU)
        assert "\n" not in str(error.value)


def test_without_onnxruntime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_teacher(tmp_path / "teacher.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"needs onnxruntime, .*: pip install -e '\.\[train\]'"):
        Teacher(path, (28, 28), CPU)
