"""The rendered drives, described once, as one map."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import rendering
from benchmarks.calibration.rendering import POSES, RIDES, picture_folder, render_drives
from benchmarks.recall.rendered import renderer_version
from selavpr_core.describer import Describer
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap
from selavpr_ros.progress import progress_bar
from training.errors import EvaluationError

APART = 5000.0  # metres from town to town
SECOND = 10**9
DAY = 86_400 * SECOND


class Drives(NamedTuple):
    """All drives through all towns as one map, with a segment for each drive through each town."""

    place_map: PlaceMap
    towns: int

    def part(self, names: Sequence[str], towns: Sequence[int]) -> PlaceMap:
        """Return the map of some drives through some of the towns."""
        order = list(RIDES)
        return self.place_map.part(
            [order.index(name) * self.towns + town for name in names for town in towns]
        )


def describe_drives(describer: Describer, seed: int, towns: int, kept: Path, work: Path) -> Drives:
    """Render and describe what `kept` lacks, drive by drive, and join it in a map in `work`.

    Raises OSError where the folders cannot be written.
    """
    pictures = kept / f"{_version()}-{seed}"
    with progress_bar("rendering", None, "drives") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        render_drives(pictures, seed, towns, progress)
    described = pictures / f"described-{describer.fingerprint[:12]}"
    described.mkdir(exist_ok=True)
    names = [(name, town) for name in RIDES for town in range(towns)]
    with progress_bar("describing", len(names), "drives") as bar:
        for name, town in names:
            folder = picture_folder(name, town)
            if not (described / f"{folder}.npz").is_file():
                _describe(describer, pictures / folder, described / f"{folder}.npz")
            bar.update()
    path = work / "drives"
    with MapWriter(path, ModelInfo.from_describer(describer), None) as writer:
        for number, name in enumerate(RIDES):
            start = number * DAY
            for town in range(towns):
                with np.load(described / f"{picture_folder(name, town)}.npz") as columns:
                    start += _add(writer, name, town, start, dict(columns))
    return Drives(PlaceMap.load(path), towns)


def _version() -> str:
    """Return 16 hexadecimal digits that change whenever what is rendered may."""
    source = Path(rendering.__file__).read_bytes()
    return hashlib.sha256(renderer_version().encode() + source).hexdigest()[:16]


def _describe(describer: Describer, pictures: Path, path: Path) -> None:
    def images() -> Iterator[NDArray[np.uint8]]:
        for file in sorted(pictures.glob("*.jpg")):
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                raise EvaluationError(f"{file} is no picture: remove {pictures}")
            yield np.ascontiguousarray(image[:, :, ::-1], np.uint8)

    batches = list(describer.stream(images()))
    columns = {"poses": np.load(pictures / POSES)}
    for column in ("codes", "descriptors"):
        rows = [row for batch in batches if (row := getattr(batch, column)) is not None]
        if rows:
            columns[column] = np.concatenate(rows)
    unfinished = path.with_suffix(f".{os.getpid()}.npz")
    np.savez(unfinished, **columns)
    unfinished.replace(path)


def _add(
    writer: MapWriter, name: str, town: int, start: int, columns: dict[str, NDArray[np.float32]]
) -> int:
    """Write a segment that begins at `start`, and return how long it takes, in nanoseconds."""
    poses = columns["poses"]
    nothing = np.zeros(len(poses))
    stamps = start + SECOND * np.arange(len(poses))
    with writer.segment(picture_folder(name, town), "rendered") as segment:
        segment.add(
            columns.get("codes"),
            columns.get("descriptors"),
            positions=np.column_stack([poses[:, 0] + APART * town, poses[:, 1], nothing]),
            headings=np.angle(np.exp(1j * poses[:, 2])),
            heading_sigmas=nothing,
            position_sigmas=nothing,
            stamps=stamps,
        )
    return SECOND * len(poses)
