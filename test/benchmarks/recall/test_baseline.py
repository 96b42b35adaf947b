from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from benchmarks.recall import command
from benchmarks.recall.baseline import Baseline
from test.training.distillation.graphs import write_teacher
from training.command import run
from training.errors import EvaluationError


def test_descriptors_are_embeddings_of_squashed_images_at_length_one(tmp_path: Path) -> None:
    file = write_teacher(tmp_path / "network.onnx", side=224)
    baseline = Baseline(file)
    assert baseline.descriptor_dim == 8
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((300, 400), (96, 60))] * 5
    parts = list(baseline.stream(iter(images)))
    assert [part.codes for part in parts] == [None, None]
    found = np.concatenate([part.descriptors for part in parts if part.descriptors is not None])
    session = onnxruntime.InferenceSession(file)
    for image, descriptor in zip(images, found, strict=True):
        small = Image.fromarray(image).resize((224, 224), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        (embedding,) = session.run(["embedding"], {"image": pixels})
        assert descriptor.dtype == np.float32
        assert np.allclose(descriptor, embedding[0] / np.linalg.norm(embedding), atol=1e-5)


def test_a_file_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EvaluationError, match=r"no baseline .*none.onnx: give --baseline"):
        Baseline(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    arguments = ["--weights", "random:tiny", "--baseline", str(tmp_path / "text.onnx")]
    assert run(command.main, arguments) == 2
    (line,) = [s for s in capsys.readouterr().err.splitlines() if s.startswith("error")]
    assert "text.onnx" in line
