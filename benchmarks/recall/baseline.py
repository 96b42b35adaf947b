"""A network to compare with: an ONNX file as training takes for a teacher, by its mean map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from selavpr_core.describer import Description
from training.distillation.teacher import Teacher
from training.errors import EvaluationError


class Squashing(NamedTuple):
    """Resizes to (height, width), by Pillow, bilinear with antialiasing, the aspect ratio lost."""

    size: tuple[int, int] = (224, 224)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[H, W, 3] uint8 to [3, height, width] uint8."""
        resized = Image.fromarray(image).resize(self.size[::-1], Image.Resampling.BILINEAR)
        return np.array(resized).transpose(2, 0, 1)

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides about the result, as a dictionary of JSON values."""
        return {"size": self.size, "interpolation": "bilinear", "antialias": True}


class Baseline:
    """Describes images by an ONNX file, with the attributes that evaluation asks a describer for.

    file: what `training.distillation` takes for a teacher, with an output "map", whose mean over
    its cells describes an image. Raises EvaluationError where there is
    none, ConfigError for another, and where onnxruntime is not installed.
    """

    code_bytes = None
    device = "cpu"
    precision = "fp32"
    preset = "onnx"
    pretrained = True
    batch_size = 8

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise EvaluationError(f"no baseline {file}: give --baseline an ONNX file")
        self.preprocessing = Squashing()
        self._network = Teacher(file, "map", self.preprocessing.size, torch.device(self.device))
        self.descriptor_dim = self._network.channels
        self.fingerprint = self._network.digest
        self.source = str(file)

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        """Describe images [H, W, 3] uint8: one description a batch, in order."""
        batch = []
        for image in images:
            batch.append(self.preprocessing(image))
            if len(batch) == self.batch_size:
                yield self._described(batch)
                batch = []
        if batch:
            yield self._described(batch)

    def _described(self, batch: list[NDArray[np.uint8]]) -> Description:
        means = self._network(torch.from_numpy(np.stack(batch))).mean(dim=(2, 3))
        return Description(None, torch.nn.functional.normalize(means).numpy())
