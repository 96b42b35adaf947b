"""Small maps for tests, whose contents follow from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from selavpr_core.camera import CameraModel
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import MapWriter, ModelInfo, Place

CAMERA = CameraModel(640, 480, 500.5, 510.0, 319.5, 241.25, (-0.2, 0.05, 0.001, -0.002, 0.0))
MODEL = ModelInfo("ab" * 32, "random:tiny", "tiny", False, descriptor_dim=16, code_bytes=8)
LUND = Datum.at(55.71, 13.19, 50.0)


def places(
    count: int, seed: int = 0, model: ModelInfo = MODEL, thumbnails: bool = True
) -> dict[str, Any]:
    """Return the arguments of SegmentWriter.add for `count` places."""
    rng = np.random.default_rng(seed)
    descriptors = codes = None
    if model.descriptor_dim is not None:
        descriptors = rng.standard_normal((count, model.descriptor_dim)).astype(np.float32)
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    if model.code_bytes is not None:
        codes = rng.integers(0, 256, (count, model.code_bytes), dtype=np.uint8)
    return {
        "codes": codes,
        "descriptors": descriptors,
        "positions": rng.uniform(-100, 100, (count, 3)),
        "headings": rng.uniform(-np.pi, np.pi, count).astype(np.float32),
        "heading_sigmas": rng.uniform(0, 1, count).astype(np.float32),
        "position_sigmas": rng.uniform(0, 5, count).astype(np.float32),
        "stamps": rng.integers(0, 2**62, count),
        "thumbnails": [bytes(rng.bytes(n % 7)) for n in range(count)] if thumbnails else None,
    }


def write_map(
    path: Path,
    segments: dict[str, dict[str, Any]],
    model: ModelInfo = MODEL,
    datum: Datum | None = LUND,
    camera: CameraModel | None = None,
) -> Path:
    """Write (or extend) a map with these segments and return its path."""
    with MapWriter(path, model, datum) as writer:
        for name, contents in segments.items():
            with writer.segment(name, f"/bags/{name}.mcap") as segment:
                segment.add(**contents)
                segment.camera = camera
    return path


def tree(path: Path) -> set[str]:
    """Return the relative paths of all files in a folder."""
    return {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}


def drive(
    count: int, seed: int = 0, model: ModelInfo = MODEL, thumbnails: bool = True
) -> list[Place]:
    """Return the places that `places` gives, one by one."""
    contents = places(count, seed, model, thumbnails)
    codes, descriptors = contents["codes"], contents["descriptors"]
    return [
        Place(
            code=None if codes is None else codes[n],
            descriptor=None if descriptors is None else descriptors[n],
            position=contents["positions"][n],
            stamp=int(contents["stamps"][n]),
            heading=float(contents["headings"][n]),
            heading_sigma=float(contents["heading_sigmas"][n]),
            position_sigma=float(contents["position_sigmas"][n]),
            thumbnail=contents["thumbnails"][n] if thumbnails else None,
        )
        for n in range(count)
    ]
