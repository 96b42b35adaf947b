"""A network in an ONNX file, whose features a student learns to predict."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import ConfigError

_OUTPUTS = ["embedding", "map"]
# Images at once: the activations of more than two leave a processor's cache, and one image leaves
# threads idle; a GPU wants many.
_CHUNKS = {"cpu": 2, "cuda": 64}


class Features(NamedTuple):
    """What a teacher says of N images: vectors [N, C] and maps [N, C, h, w], float32."""

    embedding: Tensor
    map: Tensor


class Teacher:
    """A frozen network that onnxruntime runs, on the GPU where both know one.

    The file takes an image N x 3 x H x W, RGB in [-1, 1] and float32, and gives "embedding" N x C
    and "map" N x C x h x w; other outputs are not computed.

    channels: C of the embedding and of the map. grid: (h, w). digest: sha256 of the file.
    device: where its features are.
    """

    def __init__(self, path: Path, size: tuple[int, int], device: torch.device) -> None:
        """Load a file for images of a size, (height, width) in pixels.

        Raises ConfigError where it is missing or does not fit, or onnxruntime is not installed.
        """
        self._path = path
        self.device = device
        self._session = _session(path, device)
        self._input = self._session.get_inputs()[0].name
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._check_names()
        first = self._tried(size)
        self.channels = (first.embedding.shape[1], first.map.shape[1])
        self.grid = (first.map.shape[2], first.map.shape[3])

    def __call__(self, images: Tensor) -> Features:
        """Describe images [N, 3, H, W] uint8, RGB; the features are on the teacher's device."""
        pixels = images.cpu().numpy().astype(np.float32)
        pixels *= np.float32(2 / 255)
        pixels -= 1
        chunk = _CHUNKS[self.device.type]
        starts = range(0, len(pixels), chunk)
        parts = [self._run(pixels[start : start + chunk]) for start in starts]
        embedding, maps = (
            torch.from_numpy(np.concatenate(values)).to(self.device)
            for values in zip(*parts, strict=True)
        )
        return Features(embedding, maps)

    def _run(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = self._session.run(_OUTPUTS, {self._input: pixels})
        return outputs

    def _check_names(self) -> None:
        inputs = [value.name for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        if len(inputs) != 1 or not set(_OUTPUTS) <= set(outputs):
            raise ConfigError(
                f"teacher {self._path} has the inputs {', '.join(inputs)} and the outputs "
                f"{', '.join(outputs)}: one image goes in, and embedding and map must come out"
            )

    def _tried(self, size: tuple[int, int]) -> Features:
        """Return the features of two grey images; ConfigError where they are none."""
        height, width = size
        grey = torch.full((2, 3, height, width), 128, dtype=torch.uint8)
        try:
            embedding, maps = self(grey)
        except Exception as error:  # onnxruntime's own kinds share no other base
            wanted = self._session.get_inputs()[0]
            shape = " x ".join(str(side) for side in wanted.shape)
            raise ConfigError(
                f"teacher {self._path} takes {wanted.type} {shape}, and cannot describe images of "
                f"data.size {height} x {width}: give another teacher, or its size"
            ) from error
        if (embedding.ndim, maps.ndim, len(embedding), len(maps)) != (2, 4, 2, 2):
            raise ConfigError(
                f"teacher {self._path} gives an embedding {list(embedding.shape)} and a map "
                f"{list(maps.shape)} for two images, instead of [2, C] and [2, C, h, w]"
            )
        return Features(embedding, maps)


def _session(path: Path, device: torch.device) -> Any:
    """Return onnxruntime's session of a file."""
    if not path.is_file():
        raise ConfigError(f"no teacher {path}: give an ONNX file (distillation.teacher=FILE)")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "a teacher needs onnxruntime, which is not installed: pip install -e '.[train]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Its threads would otherwise keep the cores busy for a while after each call, and the student
    # needs them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors alone
    wanted: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        wanted.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(path, options, wanted)
    except Exception as error:  # onnxruntime's own kinds share no other base
        reason = str(error).splitlines()[0]
        raise ConfigError(f"teacher {path} cannot be read as ONNX: {reason}") from error
