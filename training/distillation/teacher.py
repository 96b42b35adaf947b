"""A network in an ONNX file, whose maps of features a student learns to predict."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.errors import ConfigError

# Images at once: the activations of more than two leave a processor's cache, and one image leaves
# threads idle; a GPU wants many.
_CHUNKS = {"cpu": 2, "cuda": 64}


class Teacher:
    """A frozen network that onnxruntime runs, on the GPU where both know one.

    The file takes an image N x 3 x H x W, RGB in [-1, 1] and float32; its map N x C x h x w is an
    output, or any tensor between its layers.

    channels: C. grid: (h, w). digest: of the file, the map and the size. device: where its maps
    are.
    """

    def __init__(self, path: Path, name: str, size: tuple[int, int], device: torch.device) -> None:
        """Load a file.

        name: of the tensor that is the map. size: (height, width) in pixels that it sees images
        in; one that it was not made for is fine where its layers do not mind.
        Raises ConfigError where it is missing or does not fit, or onnxruntime or onnx is not
        installed.
        """
        self._path = path
        self._name = name
        self._size = size
        self.device = device
        content = _read(path)
        self.digest = hashlib.sha256(content + f"{name} {size}".encode()).hexdigest()
        self._session = _session(_fitted(content, name, size, path), path, device)
        self._input = self._session.get_inputs()[0].name
        first = self._tried()
        self.channels = first.shape[1]
        self.grid = (first.shape[2], first.shape[3])

    def __call__(self, images: Tensor) -> Tensor:
        """Return the maps of images [N, 3, H, W] uint8, RGB: [N, C, h, w] on the device."""
        pixels = images.cpu().float()
        if pixels.shape[-2:] != self._size:
            pixels = functional.interpolate(pixels, self._size, mode="bilinear", antialias=True)
        values = (pixels * (2 / 255) - 1).numpy()
        chunk = _CHUNKS[self.device.type]
        starts = range(0, len(values), chunk)
        parts = [self._run(values[start : start + chunk]) for start in starts]
        return torch.from_numpy(np.concatenate(parts)).to(self.device)

    def _run(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        maps: NDArray[np.float32] = self._session.run([self._name], {self._input: pixels})[0]
        return maps

    def _tried(self) -> Tensor:
        """Return the maps of two grey images; ConfigError where they are none."""
        height, width = self._size
        grey = torch.full((2, 3, height, width), 128, dtype=torch.uint8)
        try:
            maps = self(grey)
        except Exception as error:  # onnxruntime's own kinds share no other base
            raise ConfigError(
                f"teacher {self._path} cannot describe RGB images of {height} x {width}: give "
                "another teacher, or another distillation.size"
            ) from error
        if maps.ndim != 4 or len(maps) != 2:
            raise ConfigError(
                f"teacher {self._path}: {self._name} is {list(maps.shape)} for two images, "
                "instead of a map [2, C, h, w]: give another distillation.map"
            )
        return maps


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigError(f"no teacher {path}: give an ONNX file (distillation.teacher=FILE)")
    return path.read_bytes()


def _fitted(content: bytes, name: str, size: tuple[int, int], path: Path) -> bytes:
    """Return the content of an ONNX file for images of a size, with a tensor as its only output."""
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(
            "a teacher needs onnx, which is not installed: pip install -e '.[train]'"
        ) from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own kinds
        raise ConfigError(f"teacher {path} cannot be read as ONNX") from error
    graph = model.graph
    inputs = [value.name for value in graph.input]
    made = [tensor for node in graph.node for tensor in node.output]
    if len(inputs) != 1:
        raise ConfigError(f"teacher {path} has the inputs {', '.join(inputs)}: it must take images")
    if name not in made:
        raise ConfigError(
            f"teacher {path} has no tensor {name}: distillation.map must be one of its "
            f"{len(made):,}, the last of which are {', '.join(made[-3:])}"
        )
    shape = graph.input[0].type.tensor_type.shape.dim
    for dimension, side in zip(shape[2:], size, strict=False):
        dimension.dim_value = side
    del graph.output[:]
    graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    del graph.value_info[:]  # shapes that may not hold any more
    fitted: bytes = model.SerializeToString()
    return fitted


def _session(content: bytes, path: Path, device: torch.device) -> Any:
    """Return onnxruntime's session of a file's content."""
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
        return onnxruntime.InferenceSession(content, options, wanted)
    except Exception as error:  # onnxruntime's own kinds share no other base
        reason = str(error).splitlines()[0]
        raise ConfigError(f"teacher {path} cannot be read as ONNX: {reason}") from error
