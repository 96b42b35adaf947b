"""The frames of a bag as files, with where each was taken."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.geodesy import Datum
from selavpr_ros.bags import BagReader, choose_topic, stamp_of
from selavpr_ros.images import to_rgb
from selavpr_ros.mapping import MappingSettings
from selavpr_ros.mapping.geotag import Geotagger, first_datum, tag_by_fixes, tag_by_poses
from selavpr_ros.mapping.recording import (
    FIX_TYPES,
    IMAGE_TYPES,
    ODOMETRY_TYPES,
    FixLog,
    PoseLog,
)
from selavpr_ros.mapping.track import Drop
from training.errors import DatasetError


class BagFrames(NamedTuple):
    """All frames of a bag, in its order.

    paths: lossless pictures. positions: [N, 2] float64 metres in the frame of the datum, or in that
    of the odometry where `datum` is None; NaN where the track says nothing.
    """

    paths: list[Path]
    positions: NDArray[np.float64]
    datum: Datum | None


def write_frames(bag: Path, folder: Path, datum: Datum | None = None) -> BagFrames:
    """Write the frames of a bag into a folder, which is made, and locate them as maps do.

    By fixes where the bag has any, else by odometry. datum: of fixes; None takes the first one.
    Raises BagError, GeodesyError, ImageError, and DatasetError for a bag that is not whole.
    """
    folder.mkdir(parents=True)
    with BagReader(bag) as reader:
        tagger, datum = _tagger(reader, datum)
        topic = choose_topic(reader.topics, IMAGE_TYPES, None, "image")
        assert topic is not None
        paths, positions = [], []
        for number, (_, bag_stamp, message) in enumerate(reader.messages({topic})):
            pose = tagger.tag(stamp_of(message, bag_stamp))
            positions.append([np.nan] * 2 if isinstance(pose, Drop) else pose.position[:2])
            paths.append(folder / f"{number:04d}.png")
            pixels = cv2.cvtColor(to_rgb(message), cv2.COLOR_RGB2BGR)
            _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            paths[-1].write_bytes(encoded.tobytes())
        if reader.warnings:  # frames that are missing would shift the numbers of the others
            raise DatasetError(f"{bag} is damaged ({reader.warnings[0]}): copy it again")
    return BagFrames(paths, np.array(positions, np.float64).reshape(-1, 2), datum)


def _tagger(reader: BagReader, datum: Datum | None) -> tuple[Geotagger, Datum | None]:
    settings = MappingSettings()
    fix_topic = choose_topic(reader.topics, FIX_TYPES, None, "fix", required=False)
    if fix_topic is None:
        poses = PoseLog()
        topic = choose_topic(reader.topics, ODOMETRY_TYPES, None, "pose")
        _fill(poses, reader, topic)
        return tag_by_poses(poses.result(), settings), None
    log = FixLog()
    _fill(log, reader, fix_topic)
    fixes = log.result()
    datum = datum or first_datum(fixes, settings)
    return tag_by_fixes(fixes, None, datum, settings), datum


def _fill(log: FixLog | PoseLog, reader: BagReader, topic: str | None) -> None:
    assert topic is not None
    for _, bag_stamp, message in reader.messages({topic}):
        log.add(stamp_of(message, bag_stamp), message)
