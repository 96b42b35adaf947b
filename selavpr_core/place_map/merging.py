"""Merging maps: segments are linked or copied, poses re-expressed where the datum differs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from selavpr_core.errors import GeodesyError, MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.frames import wrapped
from selavpr_core.place_map.manifest import (
    MANIFEST_NAME,
    Manifest,
    SegmentInfo,
    StoredFile,
    check_same_model,
    read_manifest,
    write_manifest,
)
from selavpr_core.place_map.place_map import PlaceMap
from selavpr_core.place_map.segment import (
    SEGMENT_FOLDER,
    THUMBNAIL_FOLDER,
    Segment,
    data_columns,
    file_metadata,
    unique_name,
)
from selavpr_core.place_map.tensor_file import (
    Block,
    FileDigest,
    array_blocks,
    file_blocks,
    write_tensor_file,
)
from selavpr_core.place_map.write_errors import write_errors_named
from selavpr_core.storage.durable import (
    make_folder,
    publish,
    sync_folder,
)
from selavpr_core.storage.lock import LOCK_NAME, lock_folder, unlock

_CHUNK_ROWS = 1 << 16


def merge_maps(sources: Sequence[Path | str], output: Path | str) -> PlaceMap:
    """Merge maps into a new one and return it, loaded.

    All must have been made by the same model. Positions and headings are re-expressed in the
    first map's datum through WGS84; segments that need no change are linked, or copied where the
    file system cannot link. A map without a datum lives in a frame of its own and merges with no
    other: bags whose odometry shares one frame can be built into one map instead. A segment whose
    name is taken gets a number. A crash leaves no map at `output`, never half of one.

    Args:
        sources: folders of the maps, at least one; verified like PlaceMap.load does.
        output: folder of the new map: must not exist, or be empty.

    Raises:
        MapError: a source is missing or damaged, models or datums do not go together, a position
            is too far away for the first map's UTM zone, or the output cannot be written.
    """
    paths = [Path(source) for source in sources]
    if not paths:
        raise MapError("there is no map to merge: give at least one")
    manifests = [read_manifest(path) for path in paths]
    _check_mergeable(paths, manifests)
    output = Path(output)
    # An empty folder is filled, not replaced: a shell may stand in it, or a disk be mounted there.
    fill = output.is_dir()
    work = output / ".merging" if fill else output.with_name(f".{output.name}.merging")
    with write_errors_named(output):
        if output.exists() and not (fill and not set(output.iterdir()) - {work}):
            raise MapError(f"{output} exists already: give the merged map another name")
        make_folder(work)
        lock = lock_folder(work)
        try:
            _clear(work)  # what a killed merge left
            _write_merged(work, paths, manifests)
            if fill:
                _move_into(output, work)
            else:
                os.replace(work, output)
                sync_folder(output.parent)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        finally:
            unlock(lock)
    return PlaceMap.load(output)


def _check_mergeable(paths: list[Path], manifests: list[Manifest]) -> None:
    first = manifests[0]
    for path, manifest in zip(paths[1:], manifests[1:], strict=True):
        if manifest.model.fingerprint != first.model.fingerprint:
            raise MapError(
                f"{path} was made with other weights ({manifest.model.source}, fingerprint "
                f"{manifest.model.short_fingerprint}) than {paths[0]} ({first.model.source}, "
                f"{first.model.short_fingerprint}): build it with --weights {first.model.source}"
            )
        check_same_model(paths[0], first.model, manifest.model)
        without = [p for p, m in ((paths[0], first), (path, manifest)) if m.datum is None]
        if without:
            raise MapError(
                f"{without[0]} has no datum, so its frame is its odometry's own and cannot be "
                "aligned with another map's: build maps to be merged with GPS"
            )


def _clear(work: Path) -> None:
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK_NAME:
            entry.unlink()


def _write_merged(work: Path, paths: list[Path], manifests: list[Manifest]) -> None:
    model, datum = manifests[0].model, manifests[0].datum
    merged: list[SegmentInfo] = []
    for path, manifest in zip(paths, manifests, strict=True):
        for info in manifest.segments:
            segment = Segment(path, info, model)  # verifies it
            name = unique_name(info.name, {other.name for other in merged})
            data = f"{SEGMENT_FOLDER}/{name}.safetensors"
            thumbnails = f"{THUMBNAIL_FOLDER}/{name}.safetensors"
            if manifest.datum == datum:
                stored = _adopt(path / info.data.file, work, replace(info.data, file=data))
            else:
                stored = _re_express(segment, manifest, datum, work, data)
            stored_thumbnails = None
            if info.thumbnails is not None:
                stored_thumbnails = replace(info.thumbnails, file=thumbnails)
                if segment.has_thumbnails:
                    _adopt(path / info.thumbnails.file, work, stored_thumbnails)
            merged.append(replace(info, name=name, data=stored, thumbnails=stored_thumbnails))
    write_manifest(work, Manifest(model, datum, tuple(merged)), work / f"{MANIFEST_NAME}.new")


def _move_into(output: Path, work: Path) -> None:
    """Move a finished map into the folder around it, the manifest last: it makes it a map."""
    moved: list[Path] = []
    try:
        for folder in (SEGMENT_FOLDER, THUMBNAIL_FOLDER):
            if (work / folder).exists():
                moved.append(output / folder)
                os.replace(work / folder, output / folder)
        sync_folder(output)
        publish(work / MANIFEST_NAME, output / MANIFEST_NAME)
    except BaseException:
        if not (output / MANIFEST_NAME).exists():
            for folder_path in moved:
                shutil.rmtree(folder_path, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _adopt(source: Path, work: Path, stored: StoredFile) -> StoredFile:
    """Link a file into the merged map, or copy it: segments never change."""
    target = work / stored.file
    make_folder(target.parent)
    try:
        os.link(source, target)
        sync_folder(target.parent)
    except OSError:  # another file system, or one without links
        temporary = target.with_name(target.name + ".new")
        with temporary.open("wb") as copy:
            for block in file_blocks(source):
                copy.write(block)
        publish(temporary, target)
    return stored


def _re_express(
    segment: Segment, manifest: Manifest, datum: Datum | None, work: Path, file: str
) -> StoredFile:
    """Write a segment with its poses in another datum."""
    assert manifest.datum is not None
    assert datum is not None
    tensors = data_columns(manifest.model, segment.info.count)
    blocks: dict[str, Iterator[Block]] = {
        name: array_blocks(getattr(segment, name)) for name in tensors
    }
    blocks["positions"] = _positions(segment, manifest.datum, datum)
    blocks["headings"] = _headings(segment, manifest.datum, datum)
    target = work / file
    make_folder(target.parent)
    temporary = target.with_name(target.name + ".new")
    try:
        digest: FileDigest = write_tensor_file(
            temporary,
            {name: (tensor, blocks[name]) for name, tensor in tensors.items()},
            file_metadata(segment.info.source),
        )
    except GeodesyError as error:
        raise MapError(
            f"segment {segment.info.name!r} cannot be expressed in the first map's datum: {error}"
        ) from None
    publish(temporary, target)
    return StoredFile.at(file, digest)


def _positions(segment: Segment, old: Datum, new: Datum) -> Iterator[Block]:
    for start in range(0, segment.info.count, _CHUNK_ROWS):
        wgs84 = old.to_wgs84(segment.positions[start : start + _CHUNK_ROWS])
        yield from array_blocks(np.ascontiguousarray(new.to_map(*wgs84), "<f8"))


def _headings(segment: Segment, old: Datum, new: Datum) -> Iterator[Block]:
    if old.zone == new.zone:
        yield from array_blocks(segment.headings)
        return
    for start in range(0, segment.info.count, _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        latitudes, longitudes, _ = old.to_wgs84(segment.positions[rows])
        turns = [
            new.convergence(latitude, longitude) - old.convergence(latitude, longitude)
            for latitude, longitude in zip(latitudes, longitudes, strict=True)
        ]
        headings = wrapped(segment.headings[rows].astype(np.float64) + turns)
        yield from array_blocks(headings.astype("<f4"))
