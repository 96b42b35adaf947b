"""A describer for tests of map building that need no network: fast, and its places are known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.describer import Describer, Description

DIMENSION = 24
CODE_BYTES = 3


class GreyDescriber:
    """Describes an image by its brightness on a grid of 6 x 4; the code is one bit a cell."""

    source = "grey"
    preset = "grey"
    pretrained = True
    descriptor_dim = DIMENSION
    code_bytes = CODE_BYTES
    device = "cpu"
    precision = "fp32"

    def __init__(self, fingerprint: str = "a" * 64, batch_size: int = 4) -> None:
        self.fingerprint = fingerprint
        self.batch_size = batch_size
        self.described = 0

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        iterator = iter(images)
        while batch := list(itertools.islice(iterator, self.batch_size)):
            self.described += len(batch)
            cells = np.array([cv2.resize(image, (6, 4)).mean(axis=2).ravel() for image in batch])
            centred = cells - cells.mean(axis=1, keepdims=True) + 1e-3
            descriptors = centred / np.linalg.norm(centred, axis=1, keepdims=True)
            yield Description(np.packbits(centred > 0, axis=1), descriptors.astype(np.float32))


def grey(**options: object) -> Describer:
    """A GreyDescriber under the type that build_map asks for."""
    return cast(Describer, GreyDescriber(**options))  # type: ignore[arg-type]


def picture(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """An image of its own for each number, coarse enough to survive JPEG."""
    cells = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
