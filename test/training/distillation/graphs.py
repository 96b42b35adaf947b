"""Teachers small enough to be written by a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

CHANNELS = 8


def write_teacher(
    path: Path,
    side: int = 28,
    outputs: tuple[str, str] = ("embedding", "map"),
    seed: int = 0,
    colours: int = 3,
) -> Path:
    """Write a graph: means of 14 x 14 pixels, eight mixtures of their colours, ReLU; and its mean.

    image N x colours x side x side; the map has 8 channels and side / 14 cells along each axis.
    """
    random = np.random.default_rng(seed)
    embedding, maps = outputs
    tensors = {
        "weight": random.normal(size=(CHANNELS, colours, 1, 1)).astype(np.float32),
        "bias": random.normal(size=CHANNELS).astype(np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["m"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Conv", ["m", "weight", "bias"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], [maps]),
        helper.make_node("GlobalAveragePool", [maps], ["mean"]),
        helper.make_node("Flatten", ["mean"], [embedding]),
    ]
    shapes = {
        "image": ["n", colours, side, side],
        embedding: ["n", CHANNELS],
        maps: ["n", CHANNELS, side // 14, side // 14],
    }
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(
        nodes,
        "teacher",
        [values["image"]],
        [values[embedding], values[maps]],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    # Of an older version than the library's own, which onnxruntime may not know yet.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    save_model(model, path)
    return path
