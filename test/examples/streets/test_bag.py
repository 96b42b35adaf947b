from __future__ import annotations

import numpy as np
import pytest

from examples.streets import (
    FIX_TOPIC,
    IMAGE_TOPIC,
    LIGHTS,
    Camera,
    Drive,
    Renderer,
    route,
    write_bag,
)
from selavpr_core.geodesy import Datum
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.images import to_rgb

DATUM = Datum.at(47.05, 8.31, 440.0)
START = 1_750_000_000_000_000_000
LENS = Camera(0.0, 0.0, 0.0, 0.0, width=160, height=120)


@pytest.fixture(scope="module")
def drive(quarter):
    return Drive.along(route(quarter.plan, [(1, 0), (1, 1)])[:120], START, speed=5.0)


@pytest.fixture(scope="module")
def renderer(quarter):
    return Renderer(quarter, LIGHTS["overcast"])


@pytest.fixture(scope="module")
def written(tmp_path_factory, renderer, drive):
    path = tmp_path_factory.mktemp("bags") / "drive"
    done = list(write_bag(path, renderer, drive, DATUM, image_rate=1.0, fix_rate=4.0, camera=LENS))
    assert done == list(range(1, len(drive.stamps_at(1.0)) + 1))
    return path


def test_fixes_are_the_drive_seen_through_the_datum(written, drive):
    with BagReader(written) as bag:
        assert bag.topics[FIX_TOPIC].type == "sensor_msgs/msg/NavSatFix"
        fixes = [(stamp_of(m, s), m) for _, s, m in bag.messages({FIX_TOPIC})]
    stamps = np.array([stamp for stamp, _ in fixes])
    assert np.array_equal(stamps, drive.stamps_at(4.0))
    positions = DATUM.to_map(
        np.array([m.latitude for _, m in fixes]),
        np.array([m.longitude for _, m in fixes]),
        np.array([m.altitude for _, m in fixes]),
    )
    assert positions == pytest.approx(drive.at(stamps)[0], abs=1e-3)
    message = fixes[0][1]
    assert message.status.status == 0
    assert message.position_covariance_type == 2
    assert message.position_covariance.reshape(3, 3).diagonal() == pytest.approx([0.25, 0.25, 1.0])


def test_images_are_what_the_camera_saw_at_their_stamps(written, renderer, drive):
    with BagReader(written) as bag:
        assert bag.topics[IMAGE_TOPIC].type == "sensor_msgs/msg/CompressedImage"
        images = [(s, stamp_of(m, s), to_rgb(m)) for _, s, m in bag.messages({IMAGE_TOPIC})]
        assert bag.warnings == []
    assert [stamp for _, stamp, _ in images] == drive.stamps_at(1.0).tolist()
    for arrived, stamp, picture in images:
        assert arrived == stamp + 40_000_000
        (x, y, z), heading = (value[0] for value in drive.at([stamp]))
        seen = renderer.image(Camera(x, y, z, heading, width=160, height=120))
        assert picture.shape == seen.shape
        assert np.abs(picture.astype(int) - seen).mean() < 6  # JPEG


def test_an_existing_bag_is_not_overwritten(written, renderer, drive):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in written.iterdir())
    with pytest.raises(FileExistsError, match="there already"):
        next(write_bag(written, renderer, drive, DATUM, camera=LENS))
    assert before == sorted((p.name, p.stat().st_mtime_ns) for p in written.iterdir())
