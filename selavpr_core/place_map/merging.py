"""Merging maps: segments are linked or copied, poses re-expressed where the frame differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import GeodesyError, MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.frames import PlanarTransform, wrapped
from selavpr_core.place_map.manifest import (
    Manifest,
    ModelInfo,
    SegmentInfo,
    StoredFile,
    read_manifest,
)
from selavpr_core.place_map.new_map import NewMap, new_map
from selavpr_core.place_map.place_map import PlaceMap
from selavpr_core.place_map.segment import (
    SEGMENT_FOLDER,
    THUMBNAIL_FOLDER,
    Progress,
    Segment,
    data_columns,
    unique_name,
)
from selavpr_core.place_map.tensor_file import Block, array_blocks

_CHUNK_ROWS = 1 << 16


def merge_maps(
    sources: Sequence[Path | str],
    output: Path | str,
    transforms: Sequence[PlanarTransform | None] | None = None,
    progress: Progress | None = None,
) -> PlaceMap:
    """Merge maps into a new one and return it, loaded.

    All must have been made by the same model. Positions and headings are re-expressed in the
    first map's datum through WGS84, or moved by the transform given; segments that need no change
    are linked, or copied where the file system cannot link. A map without a datum lives in a frame
    of its own and needs a transform (selavpr_core.retrieval.aligning finds one). A segment whose
    name is taken gets a number. A crash leaves no map at `output`, never half of one.

    Args:
        sources: folders of the maps, at least one; verified like PlaceMap.load does.
        output: folder of the new map: must not exist, or be empty.
        transforms: for each map how its frame lies in the first map's; None where both have a
            datum, which says it. None for none at all.
        progress: is called with the number of places of each segment that is done.

    Raises:
        MapError: a source is missing or damaged, models or datums do not go together, a position
            is too far away for the first map's UTM zone, or the output cannot be written.
    """
    paths = [Path(source) for source in sources]
    if not paths:
        raise MapError("there is no map to merge: give at least one")
    moves: list[PlanarTransform | None] = list(transforms or [None] * len(paths))
    manifests = [read_manifest(path) for path in paths]
    _check_mergeable(paths, manifests, moves)
    output = Path(output)
    with new_map(output) as making:
        _write_merged(making, paths, manifests, moves, progress or (lambda _: None))
    return PlaceMap.load(output)


def _check_mergeable(
    paths: list[Path], manifests: list[Manifest], moves: list[PlanarTransform | None]
) -> None:
    first = manifests[0]
    for path, manifest, move in zip(paths[1:], manifests[1:], moves[1:], strict=True):
        check_one_model(paths[0], first.model, path, manifest.model)
        without = [p for p, m in ((paths[0], first), (path, manifest)) if m.datum is None]
        if without and move is None:
            raise MapError(
                f"{without[0]} has no datum, so its frame is its odometry's own, and nothing says "
                "how it lies to another map's: align them by what they see (--align), or build "
                "maps to be merged with GPS"
            )


def check_one_model(first: Path, wanted: ModelInfo, other: Path, model: ModelInfo) -> None:
    """Raise MapError unless two maps, each given by its folder and model, are of the same model."""
    if model.fingerprint != wanted.fingerprint:
        raise MapError(
            f"{other} was made with other weights ({model.source}, fingerprint "
            f"{model.short_fingerprint}) than {first} ({wanted.source}, "
            f"{wanted.short_fingerprint}): build it with --weights {wanted.source}"
        )
    if (model.descriptor_dim, model.code_bytes) != (wanted.descriptor_dim, wanted.code_bytes):
        raise MapError(f"{other} holds other descriptors or codes than {first}: build it again")


def _write_merged(
    making: NewMap,
    paths: list[Path],
    manifests: list[Manifest],
    moves: list[PlanarTransform | None],
    progress: Progress,
) -> None:
    model, datum = manifests[0].model, manifests[0].datum
    merged: list[SegmentInfo] = []
    for path, manifest, move in zip(paths, manifests, moves, strict=True):
        change = _change(manifest.datum, datum, move)
        for info in manifest.segments:
            segment = Segment(path, info, model)  # verifies it
            name = unique_name(info.name, {other.name for other in merged})
            data = f"{SEGMENT_FOLDER}/{name}.safetensors"
            if change is None:
                stored = making.adopt(path / info.data.file, replace(info.data, file=data))
            else:
                stored = _re_express(segment, manifest, change, making, data)
            thumbnails = None
            if info.thumbnails is not None:
                file = f"{THUMBNAIL_FOLDER}/{name}.safetensors"
                thumbnails = replace(info.thumbnails, file=file)
                if segment.has_thumbnails:
                    making.adopt(path / info.thumbnails.file, thumbnails)
            merged.append(replace(info, name=name, data=stored, thumbnails=thumbnails))
            progress(info.count)
    making.finish(Manifest(model, datum, tuple(merged)))


class _Change(Protocol):
    """Poses of one frame in another, a chunk of rows at a time."""

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions [n, 3] in the new frame."""

    def headings(
        self, headings: NDArray[np.float32], positions: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return headings [n], of these positions in the old frame, in the new one."""


def _change(old: Datum | None, new: Datum | None, move: PlanarTransform | None) -> _Change | None:
    """Return what changes for a map's poses, None where nothing does."""
    if move is not None:
        return _Moved(move)
    if old is None or new is None or old == new:
        return None
    return _OtherDatum(old, new)


@dataclass(frozen=True)
class _Moved:
    move: PlanarTransform

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.move.positions(positions)

    def headings(
        self, headings: NDArray[np.float32], positions: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        return self.move.headings(headings)


@dataclass(frozen=True)
class _OtherDatum:
    old: Datum
    new: Datum

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.new.to_map(*self.old.to_wgs84(positions))

    def headings(
        self, headings: NDArray[np.float32], positions: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        if self.old.zone == self.new.zone:
            return headings
        latitudes, longitudes, _ = self.old.to_wgs84(positions)
        turns = [
            self.new.convergence(latitude, longitude) - self.old.convergence(latitude, longitude)
            for latitude, longitude in zip(latitudes, longitudes, strict=True)
        ]
        return wrapped(headings.astype(np.float64) + turns).astype(np.float32)


def _re_express(
    segment: Segment, manifest: Manifest, change: _Change, making: NewMap, file: str
) -> StoredFile:
    """Write a segment with its poses in another frame."""
    tensors = data_columns(manifest.model, segment.info.count)
    blocks: dict[str, Iterator[Block]] = {
        name: array_blocks(getattr(segment, name)) for name in tensors
    }
    blocks["positions"] = _positions(segment, change)
    blocks["headings"] = _headings(segment, change)
    try:
        return making.store(
            file,
            {name: (tensor, blocks[name]) for name, tensor in tensors.items()},
            segment.info.source,
        )
    except GeodesyError as error:
        raise MapError(
            f"segment {segment.info.name!r} cannot be expressed in the first map's datum: {error}"
        ) from None


def _positions(segment: Segment, change: _Change) -> Iterator[Block]:
    for start in range(0, segment.info.count, _CHUNK_ROWS):
        moved = change.positions(segment.positions[start : start + _CHUNK_ROWS])
        yield from array_blocks(np.ascontiguousarray(moved, "<f8"))


def _headings(segment: Segment, change: _Change) -> Iterator[Block]:
    for start in range(0, segment.info.count, _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        turned = change.headings(segment.headings[rows], segment.positions[rows])
        yield from array_blocks(np.ascontiguousarray(turned, "<f4"))
