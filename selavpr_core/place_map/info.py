"""What a map holds, for people and scripts."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map.manifest import MANIFEST_NAME, SegmentInfo, read_manifest
from selavpr_core.place_map.segment import Progress, Segment


def map_info(path: Path | str, progress: Progress | None = None) -> dict[str, Any]:
    """Verify a map like PlaceMap.load does and describe it in plain JSON types.

    Returns:
        path, name, version of the format; places: their number; length: of all tracks, metres;
        extent: bounding box, {"min": [x, y, z], "max": [x, y, z]} metres in the map frame, None
        for an empty map; datum: as Datum.to_json, or None; model: fingerprint, source, preset,
        pretrained, descriptor_dim, code_bytes; calibration: as Calibration, with `reached`, or
        None; bytes: size on disk; segments: for each name, source, created, places, length
        (metres), start and end (ISO 8601, UTC), first_stamp and last_stamp (ns), bytes,
        thumbnails: "present", "left behind" or "none", and camera: as CameraModel, or None.

    `progress` is told the bytes that were verified, again and again.

    Raises:
        MapError: as PlaceMap.load.
    """
    path = Path(path)
    manifest = read_manifest(path)
    segments: list[dict[str, Any]] = []
    corners: list[NDArray[np.float64]] = []
    for info in manifest.segments:
        segment = Segment(path, info, manifest.model, progress)
        corners += [segment.positions.min(axis=0), segment.positions.max(axis=0)]
        segments.append(_segment_info(info, segment))
    extent = None
    if corners:
        extent = {
            "min": np.min(corners, axis=0).tolist(),
            "max": np.max(corners, axis=0).tolist(),
        }
    found = manifest.calibration
    return {
        "path": str(path),
        "name": path.resolve().name,
        "version": manifest.version,
        "places": manifest.count,
        "length": sum(segment["length"] for segment in segments),
        "extent": extent,
        "datum": None if manifest.datum is None else manifest.datum.to_json(),
        "model": dict(vars(manifest.model)),
        "calibration": None if found is None else {**vars(found), "reached": found.reached},
        "bytes": size_on_disk(path),
        "segments": segments,
    }


def size_on_disk(path: Path) -> int:
    """Return the bytes of a map's files, without those that were left behind.

    Raises:
        MapError: as read_manifest.
    """
    files = [MANIFEST_NAME, *read_manifest(path).files()]
    return sum((path / file).stat().st_size for file in files if (path / file).exists())


def _segment_info(info: SegmentInfo, segment: Segment) -> dict[str, Any]:
    steps = np.diff(segment.positions, axis=0)
    if info.thumbnails is None:
        thumbnails, thumbnail_bytes = "none", 0
    elif segment.has_thumbnails:
        thumbnails, thumbnail_bytes = "present", info.thumbnails.bytes
    else:
        thumbnails, thumbnail_bytes = "left behind", 0
    return {
        "name": info.name,
        "source": info.source,
        "created": info.created,
        "places": info.count,
        "length": float(np.linalg.norm(steps, axis=1).sum()),
        "start": iso_time(info.first_stamp),
        "end": iso_time(info.last_stamp),
        "first_stamp": info.first_stamp,
        "last_stamp": info.last_stamp,
        "bytes": info.data.bytes + thumbnail_bytes,
        "thumbnails": thumbnails,
        "camera": None if info.camera is None else dict(vars(info.camera)),
    }


def iso_time(stamp: int) -> str:
    """Return nanoseconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    seconds, nanoseconds = divmod(stamp, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 10**6:03}Z"
