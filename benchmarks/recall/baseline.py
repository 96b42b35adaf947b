"""A network to compare with: an ONNX file that gives one embedding an image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selavpr_core.describer import Description
from training.errors import EvaluationError

_BATCH = 8


class BaselinePreprocessing(NamedTuple):
    """Squashed to `size` (height, width) by Pillow, bilinear with antialiasing, RGB in [-1, 1]."""

    size: tuple[int, int]

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[H, W, 3] uint8 to [3, height, width] float32."""
        resized = Image.fromarray(image).resize(self.size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(resized, np.float32).transpose(2, 0, 1) / np.float32(127.5) - 1

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides about the result, as a dictionary of JSON values."""
        return {"size": self.size, "interpolation": "bilinear", "antialias": True}


class Baseline:
    """Describes images by an ONNX file, with the attributes that evaluation asks a describer for.

    file: from one input N x 3 x height x width, RGB in [-1, 1], to "embedding" N x C.
    Raises EvaluationError for a file of another kind, or where onnxruntime is not installed.
    """

    code_bytes = None
    device = "cpu"
    precision = "fp32"
    preset = "onnx"
    pretrained = True
    batch_size = _BATCH

    def __init__(self, file: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EvaluationError(
                "--baseline needs onnxruntime: install it with pip install onnxruntime"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # its errors come as exceptions
        try:
            content = file.read_bytes()
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            raise EvaluationError(f"{file} cannot be read: {error.strerror}") from error
        except Exception as error:  # onnxruntime's errors have no common class but this
            raise EvaluationError(f"{file} is no ONNX file that onnxruntime can read") from error
        shapes = [tuple(value.shape) for value in self._session.get_inputs()]
        outputs = {value.name: value.shape for value in self._session.get_outputs()}
        sizes = [s[2:] for s in shapes if len(s) == 4 and all(isinstance(n, int) for n in s[2:])]
        if len(shapes) != 1 or not sizes or len(outputs.get("embedding", ())) != 2:
            raise EvaluationError(
                f"{file} does not turn an image N x 3 x height x width into `embedding` N x C"
            )
        self._input = self._session.get_inputs()[0].name
        self.preprocessing = BaselinePreprocessing(sizes[0])
        self.descriptor_dim = int(outputs["embedding"][1])
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self.source = str(file)

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        """Describe images [H, W, 3] uint8: one description a batch, in order."""
        batch = []
        for image in images:
            batch.append(self.preprocessing(image))
            if len(batch) == self.batch_size:
                yield self._infer(batch)
                batch = []
        if batch:
            yield self._infer(batch)

    def _infer(self, batch: list[NDArray[np.float32]]) -> Description:
        (embeddings,) = self._session.run(["embedding"], {self._input: np.stack(batch)})
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return Description(None, np.asarray(embeddings / lengths, np.float32))
