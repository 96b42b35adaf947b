from __future__ import annotations

import io
import json
import logging
import math
import os
import sqlite3
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.describer import Describer, Description, load_describer
from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.errors import BagError
from selavpr_ros.mapping import MappingSettings, MapSummary, build_map
from test.bags_on_disk import CAMERA_INFO, IMAGE, NAV_SAT_FIX, Messages, Storage, write_bag
from test.selavpr_ros.mapping.describing import GreyDescriber, grey, picture

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
ORIGIN = (55.7, 13.2)
EVERY = MappingSettings(keyframe_distance=0)


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def north(metres: float, latitude: float = ORIGIN[0]) -> float:
    """Latitude that many metres north, to a millimetre over a kilometre at 55.7 N."""
    return latitude + metres / 111_353.0


def images(count: int, rate: float = 2.0, first: int = 0, **size: int) -> list[tuple[int, Any]]:
    return [(at(i / rate), picture(first + i, **size)) for i in range(count)]


def fixes(seconds: int, speed: float = 4.2, **given: Any) -> list[tuple[Any, ...]]:
    """One fix a second on the way north from ORIGIN."""
    height, variance = given.get("altitude", 40.0), given.get("variance", 1.0)
    return [(at(t), north(speed * t), ORIGIN[1], height, variance, 0) for t in range(seconds + 1)]


def drive(path: Path, storage: Storage = "mcap", seconds: int = 10, **options: Any) -> Path:
    """A bag of a drive north at 4.2 m/s with two images a second, the last with the last fix."""
    options = {
        "images": images(2 * seconds + 1),
        "fixes": fixes(seconds),
        "image_format": "jpeg",
        **options,
    }
    return write_bag(path, storage, **options)


def check(summary: MapSummary) -> None:
    """Every frame is accounted for, and JSON says the same as the map."""
    for bag in summary.bags:
        assert bag.frames == bag.kept + bag.near + sum(bag.dropped.values()) + bag.corrupt
        assert bag.kept == sum(bag.headings.values())
    said = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    place_map = PlaceMap.load(summary.map)
    assert said["places"] == len(place_map)
    assert said["segments"] == len(place_map.segments)
    files = [*Path(summary.map).glob("*/*.safetensors")]
    assert said["size_bytes"] == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
@pytest.mark.parametrize("image_format", ["jpeg", "rgb8"])
def test_a_bag_becomes_a_map(tmp_path: Path, storage: Storage, image_format: str) -> None:
    name = "drive.bag" if storage == "ros1" else "drive"
    bag = drive(tmp_path / name, storage, image_format=image_format)
    summary = build_map([bag], tmp_path / "map", grey())
    check(summary)
    assert (summary.frames, summary.kept, summary.corrupt) == (21, 21, 0)
    assert summary.bags[0].track_length == pytest.approx(42, abs=0.1)
    place_map = PlaceMap.load(tmp_path / "map", fingerprint="a" * 64)
    assert place_map.datum == Datum.at(ORIGIN[0], ORIGIN[1], 40.0)
    assert [s.name for s in place_map.segments] == ["drive"]
    assert place_map.segments[0].source == str(bag)
    np.testing.assert_array_equal(place_map.stamps, [at(i / 2) for i in range(21)])
    lat = [north(2.1 * i) for i in range(21)]
    expected = place_map.datum.to_map(lat, np.full(21, ORIGIN[1]), np.full(21, 40.0))
    np.testing.assert_allclose(place_map.positions, expected, atol=1e-3)
    np.testing.assert_allclose(place_map.position_sigmas, 1.0)
    grid_north = math.pi / 2 + place_map.datum.convergence(*ORIGIN)
    np.testing.assert_allclose(place_map.headings, grid_north, atol=1e-3)
    assert summary.bags[0].headings == {"pose": 0, "imu": 0, "track": 21, "unknown": 0}
    describe = next(GreyDescriber(batch_size=99).stream(picture(i) for i in range(21)))
    descriptors = place_map.gather(np.arange(21))
    assert describe.descriptors is not None
    assert (np.argmax(descriptors @ describe.descriptors.T, axis=1) == np.arange(21)).all()
    jpeg = place_map.thumbnail(7)
    assert jpeg is not None
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    small = bgr[:, :, ::-1].astype(int)
    apart = [np.abs(small - picture(i)).mean() for i in range(21)]
    assert int(np.argmin(apart)) == 7
    assert apart[7] < sorted(apart)[1] / 3


def test_thumbnails_can_be_left_out(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag")
    build_map([bag], tmp_path / "map", grey(), MappingSettings(thumbnails=False))
    place_map = PlaceMap.load(tmp_path / "map")
    assert place_map.thumbnail(0) is None
    assert not list((tmp_path / "map").glob("thumbnails/*.safetensors"))


# Keyframes


@pytest.mark.parametrize(
    ("distance", "kept"), [(0, 21), (2.0, 21), (3.0, 11), (15.0, 3), (100.0, 1)]
)
def test_keyframes_by_distance(tmp_path: Path, distance: float, kept: int) -> None:
    describer = GreyDescriber()
    summary = build_map(
        [drive(tmp_path / "bag")],
        tmp_path / "map",
        cast(Describer, describer),
        MappingSettings(keyframe_distance=distance),
    )
    check(summary)
    assert (summary.kept, summary.bags[0].near) == (kept, 21 - kept)
    assert describer.described == kept  # the others are not even decoded


def test_keyframes_by_turning_on_the_spot(tmp_path: Path) -> None:
    odometry = [(at(t / 10), 1.0, 2.0, 0.1 * t) for t in range(101)]
    bag = write_bag(tmp_path / "bag", images=images(101, rate=10), odometry=odometry)
    summary = build_map(
        [bag], tmp_path / "map", grey(), MappingSettings(keyframe_heading=0.25 - 1e-3)
    )
    check(summary)
    assert summary.kept == 34  # every third frame turned by 0.3


# Gates


def test_frames_without_a_sure_position_are_dropped_with_the_reason(tmp_path: Path) -> None:
    recorded = fixes(40)
    # 10 s: no fix for 3 s; 20 s: uncertain for 3 s; 30 s: nothing for 3 s.
    for i in (10, 11, 12):
        recorded[i] = (*recorded[i][:5], -1)
    for i in (20, 21, 22):
        recorded[i] = (*recorded[i][:4], 400.0, 0)
    recorded = [row for i, row in enumerate(recorded) if i not in (30, 31, 32)]
    bag = drive(tmp_path / "bag", seconds=45, fixes=recorded)
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    # Two images a second: 7 lie strictly between fixes 4 s apart, 10 after the last one at 40 s.
    assert summary.dropped == {"no_fix": 7, "covariance": 7, "gap": 7, "outside_track": 10}
    stamps = (PlaceMap.load(summary.map).stamps - START) / SECOND
    for low, high in ((9, 13), (19, 23), (29, 33), (40, 99)):
        assert not ((stamps > low) & (stamps < high)).any()
    for kept in (0, 9, 13, 19, 23, 29, 33, 40):
        assert kept in stamps


def test_every_gate_can_be_opened(tmp_path: Path) -> None:
    recorded = [row for i, row in enumerate(fixes(20, variance=400.0)) if i not in (8, 9, 10)]
    bag = drive(tmp_path / "bag", seconds=20, fixes=recorded)
    with pytest.raises(BagError, match=r"the best to 20\.0 m; raise --max-sigma"):
        build_map([bag], tmp_path / "map", grey(), EVERY)
    open_gates = MappingSettings(keyframe_distance=0, max_sigma=25, max_gap=4)
    summary = build_map([bag], tmp_path / "map", grey(), open_gates)
    assert summary.kept == summary.frames == 41


def test_the_same_clock_is_asked_for_when_no_image_meets_the_track(tmp_path: Path) -> None:
    late = [(stamp + 3600 * SECOND, image) for stamp, image in images(5)]
    bag = drive(tmp_path / "bag", images=late)
    with pytest.raises(BagError, match=r"5 outside the track; .*23:13:20 .* were their clocks"):
        build_map([bag], tmp_path / "map", grey())
    assert not (tmp_path / "map").exists()


def test_header_stamps_count_and_bag_time_only_where_they_are_zero(tmp_path: Path) -> None:
    delayed = drive(tmp_path / "delayed", bag_delay=7 * SECOND)
    bare = drive(tmp_path / "bare", header_stamps=False)
    for bag in (delayed, bare):
        build_map([bag], tmp_path / f"{bag.name}_map", grey())
        np.testing.assert_array_equal(
            PlaceMap.load(tmp_path / f"{bag.name}_map").stamps, [at(i / 2) for i in range(21)]
        )


# Zones and the datum


@pytest.mark.parametrize(
    ("start", "step", "zone"),
    [
        ((48.0, 11.9995), (0.0, 0.00005), 32),  # across the border to zone 33
        ((-0.0005, 30.1), (0.00005, 0.0), 36),  # across the equator northwards
        ((0.0005, 30.1), (-0.00005, 0.0), 36),
        ((-17.0, 179.9995), (0.0, 0.00005), 60),  # across the date line
    ],
)
def test_a_drive_across_a_border_stays_continuous(
    tmp_path: Path, start: tuple[float, float], step: tuple[float, float], zone: int
) -> None:
    route = [
        (
            at(t),
            start[0] + step[0] * t,
            (start[1] + step[1] * t + 180) % 360 - 180,
            40.0,
            1.0,
            0,
        )
        for t in range(21)
    ]
    bag = drive(tmp_path / "bag", seconds=20, fixes=route)
    build_map([bag], tmp_path / "map", grey(), EVERY)
    place_map = PlaceMap.load(tmp_path / "map")
    assert place_map.datum is not None
    assert place_map.datum.zone == zone
    steps = np.diff(place_map.positions[:, :2], axis=0)
    assert np.abs(steps - steps.mean(axis=0)).max() < 0.01
    assert 1.5 < np.hypot(*steps.mean(axis=0)) < 3
    assert np.ptp(place_map.headings) < 0.01


def test_a_given_datum_is_the_origin(tmp_path: Path) -> None:
    datum = Datum.at(north(-100), ORIGIN[1], 10.0)
    settings = MappingSettings(datum=datum)
    summary = build_map([drive(tmp_path / "bag")], tmp_path / "map", grey(), settings)
    assert summary.datum == datum
    first = PlaceMap.load(tmp_path / "map").positions[0]
    assert math.hypot(*first[:2]) == pytest.approx(100, abs=0.1)
    assert first[2] == pytest.approx(30)


def test_unknown_altitude_is_the_height_of_the_datum(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", fixes=fixes(10, altitude=math.nan))
    build_map([bag], tmp_path / "map", grey())
    assert (PlaceMap.load(tmp_path / "map").positions[:, 2] == 0).all()


# Headings


def test_headings_from_odometry_turned_into_the_map(tmp_path: Path) -> None:
    """The robot drives north backwards: odometry knows, the track alone would say north."""
    odometry = [(at(t / 10), -0.42 * t, 0.0, 0.0) for t in range(401)]
    bag = drive(tmp_path / "bag", seconds=40, fixes=fixes(40, variance=0.09), odometry=odometry)
    summary = build_map([bag], tmp_path / "map", grey())
    check(summary)
    assert summary.bags[0].headings["pose"] == summary.kept == 81
    place_map = PlaceMap.load(tmp_path / "map")
    assert place_map.datum is not None
    south = -math.pi / 2 + place_map.datum.convergence(*ORIGIN)
    np.testing.assert_allclose(place_map.headings, south, atol=0.01)
    assert (place_map.heading_sigmas < math.radians(10)).all()


def test_headings_from_an_imu_turned_into_the_map(tmp_path: Path) -> None:
    imu = [(at(t / 10), 2.0) for t in range(401)]
    bag = drive(tmp_path / "bag", seconds=40, fixes=fixes(40, variance=0.09), imu=imu)
    summary = build_map([bag], tmp_path / "map", grey())
    assert summary.bags[0].headings["imu"] == 81
    place_map = PlaceMap.load(tmp_path / "map")
    assert place_map.datum is not None
    grid_north = math.pi / 2 + place_map.datum.convergence(*ORIGIN)
    np.testing.assert_allclose(place_map.headings, grid_north, atol=0.01)


def test_the_source_of_the_heading_can_be_chosen(tmp_path: Path) -> None:
    odometry = [(at(t / 10), -0.42 * t, 0.0, 0.0) for t in range(401)]
    imu = [(at(t / 10), 2.0) for t in range(401)]
    bag = drive(tmp_path / "bag", seconds=40, odometry=odometry, imu=imu)
    for source in ("pose", "imu", "track"):
        settings = MappingSettings(heading_from=source)
        summary = build_map([bag], tmp_path / source, grey(), settings)
        assert summary.bags[0].headings[source] == summary.kept
    given = build_map([bag], tmp_path / "given", grey(), MappingSettings(imu_topic="/imu"))
    assert given.bags[0].headings["imu"] == given.kept


def test_standing_still_the_heading_is_unknown(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", fixes=fixes(10, speed=0.0))
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    assert summary.bags[0].headings["unknown"] == 21
    place_map = PlaceMap.load(tmp_path / "map")
    assert np.isnan(place_map.headings).all()
    assert np.isnan(place_map.heading_sigmas).all()


# Without GPS


@pytest.mark.parametrize("topic", ["odometry", "poses"])
def test_a_map_without_gps_has_the_frame_of_its_poses(tmp_path: Path, topic: str) -> None:
    rows = [(at(t / 10), 0.3 * t, -1.0, 0.7) for t in range(101)]
    bag = write_bag(tmp_path / "bag", images=images(21), **{topic: rows})  # type: ignore[arg-type]
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    place_map = PlaceMap.load(tmp_path / "map")
    assert place_map.datum is None
    assert summary.to_json()["datum"] is None
    expected = [[1.5 * i, -1.0, 0.0] for i in range(21)]
    np.testing.assert_allclose(place_map.positions, expected, atol=1e-9)
    np.testing.assert_allclose(place_map.headings, 0.7, rtol=1e-6)
    np.testing.assert_allclose(place_map.position_sigmas, 0.1 if topic == "odometry" else 0.5)


def test_poses_can_be_preferred_to_fixes(tmp_path: Path) -> None:
    odometry = [(at(t / 10), 0.3 * t, -1.0, 0.7) for t in range(101)]
    bag = drive(tmp_path / "bag", odometry=odometry)
    settings = MappingSettings(position_from="pose")
    assert build_map([bag], tmp_path / "map", grey(), settings).datum is None


def test_a_map_keeps_to_the_kind_of_its_first_bag(tmp_path: Path) -> None:
    rows = [(at(t / 10), 0.3 * t, -1.0, 0.7) for t in range(101)]
    outside = drive(tmp_path / "outside")
    inside = write_bag(tmp_path / "inside", images=images(21), odometry=rows)
    both = drive(tmp_path / "both", odometry=rows)
    build_map([outside], tmp_path / "gps", grey())
    build_map([inside], tmp_path / "poses", grey())
    with pytest.raises(BagError, match="no fix topic"):
        build_map([inside], tmp_path / "gps", grey())
    assert build_map([both], tmp_path / "gps", grey()).datum is not None
    assert build_map([both], tmp_path / "poses", grey()).datum is None
    with pytest.raises(MapError, match="without GPS"):
        build_map([both], tmp_path / "poses", grey(), MappingSettings(position_from="fix"))
    with pytest.raises(MapError, match="with GPS"):
        build_map([both], tmp_path / "gps", grey(), MappingSettings(position_from="pose"))


def test_frames_of_two_recordings_are_warned_about(tmp_path: Path) -> None:
    rows = [(at(t / 10), 0.3 * t, -1.0, 0.7) for t in range(101)]
    bags = [write_bag(tmp_path / name, images=images(21), odometry=rows) for name in ("one", "two")]
    summary = build_map(bags, tmp_path / "map", grey())
    assert summary.bags[0].warnings == []
    assert "frame 'odom'" in summary.bags[1].warnings[0]
    posed = [write_bag(tmp_path / n, images=images(21), poses=rows) for n in ("three", "four")]
    summary = build_map(posed, tmp_path / "map2", grey())  # frame_id "map": one frame for all
    assert [bag.warnings for bag in summary.bags] == [[], []]


# Several bags, and maps that exist


def test_sessions_are_added_in_the_datum_of_the_map(tmp_path: Path) -> None:
    first = drive(tmp_path / "first")
    ahead = [(t, *rest) for t, *rest in fixes(60)[50:]]
    second = drive(
        tmp_path / "second",
        fixes=ahead,
        images=[(at(50 + i / 2), picture(500 + i)) for i in range(21)],
    )
    third = drive(tmp_path / "third.bag", "ros1")
    build_map([first], tmp_path / "map", grey())
    summary = build_map([second, third], tmp_path / "map", grey())
    check(summary)
    assert (summary.kept, summary.places, summary.segments) == (42, 63, 3)
    place_map = PlaceMap.load(tmp_path / "map")
    assert [s.name for s in place_map.segments] == ["first", "second", "third"]
    assert place_map.datum == Datum.at(ORIGIN[0], ORIGIN[1], 40.0)
    north_of = place_map.positions[:, 1].reshape(3, 21)
    np.testing.assert_allclose(north_of[1] - north_of[0], 210, atol=0.2)
    np.testing.assert_allclose(north_of[2], north_of[0], atol=1e-6)


def test_the_same_bag_again_is_added_and_warned_about(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag")
    build_map([bag], tmp_path / "map", grey())
    summary = build_map([bag], tmp_path / "map", grey())
    assert summary.bags[0].segment != "bag"
    assert "its places come twice" in summary.bags[0].warnings[0]
    assert summary.places == 42


def test_other_weights_are_refused_before_any_work(tmp_path: Path) -> None:
    build_map([drive(tmp_path / "bag")], tmp_path / "map", grey())
    with pytest.raises(MapError, match="other weights"):
        build_map([tmp_path / "no such bag"], tmp_path / "map", grey(fingerprint="b" * 64))


def test_another_datum_is_refused_before_any_work(tmp_path: Path) -> None:
    build_map([drive(tmp_path / "bag")], tmp_path / "map", grey())
    with pytest.raises(MapError, match="leave --datum out"):
        build_map(
            [tmp_path / "no such bag"],
            tmp_path / "map",
            grey(),
            MappingSettings(datum=Datum.at(55.0, 13.0)),
        )


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(MapError):
        build_map([tmp_path / "no such bag"], tmp_path / "photos", grey())
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["a.jpg"]


def test_a_bag_that_fails_is_reported_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = drive(tmp_path / "good")
    blind = write_bag(tmp_path / "blind", fixes=fixes(10))
    empty = tmp_path / "empty.mcap"
    empty.write_bytes(b"")
    far = drive(tmp_path / "far", fixes=[(at(t), 37.7, -122.4, 0.0, 1.0, 0) for t in range(11)])
    missing = tmp_path / "missing"
    with caplog.at_level(logging.ERROR):
        summary = build_map([missing, good, blind, empty, far], tmp_path / "map", grey())
    check(summary)
    assert [bag.error is None for bag in summary.bags] == [False, True, False, False, False]
    assert [bag.segment for bag in summary.bags] == [None, "good", None, None, None]
    for bag, name in zip(summary.bags, ("missing", "", "blind", "empty.mcap", "far"), strict=True):
        if bag.error:
            assert name in bag.error
            assert bag.error in caplog.text
            assert bag.error in summary.table()
    assert "no image topic" in str(summary.bags[2].error)
    assert "zone 33" in str(summary.bags[4].error)


def test_a_build_without_any_place_leaves_no_map(tmp_path: Path) -> None:
    blind = write_bag(tmp_path / "blind", fixes=fixes(10))
    with pytest.raises(BagError, match="no image topic"):
        build_map([blind], tmp_path / "map", grey())
    with pytest.raises(BagError, match=r"no bag gave any place: .*missing.*; .*no image topic"):
        build_map([tmp_path / "missing", blind], tmp_path / "map", grey())
    lost = drive(tmp_path / "lost", images=[(at(99), picture(1))])
    with pytest.raises(BagError, match="1 outside the track"):
        build_map([lost], tmp_path / "map", grey())
    assert not (tmp_path / "map").exists()


def test_topics_that_are_ambiguous_are_listed(tmp_path: Path) -> None:
    make = Messages()
    extra = [(at(0), "/rear", IMAGE, make.image(at(0), picture(1)))]
    extra += [(at(0), "/backup", NAV_SAT_FIX, make.fix(at(0), 1.0, 2.0))]
    bag = drive(tmp_path / "bag", extra=extra)
    with pytest.raises(BagError, match=r"--image-topic.*/camera/image_raw/compressed.*/rear"):
        build_map([bag], tmp_path / "map", grey())
    settings = MappingSettings(image_topic="/camera/image_raw/compressed")
    with pytest.raises(BagError, match=r"--fix-topic.*/backup.*/fix"):
        build_map([bag], tmp_path / "map", grey(), settings)
    settings = MappingSettings(image_topic="/camera/image_raw/compressed", fix_topic="/fix")
    assert build_map([bag], tmp_path / "map", grey(), settings).kept == 21


# The camera

K = [60.0, 0, 31.5, 0, 61.0, 23.5, 0, 0, 1]
P = [50.0, 0, 31.5, 0, 0, 50.0, 23.5, 0, 0, 0, 1, 0]
CAMERA = CameraModel(64, 48, 60.0, 61.0, 31.5, 23.5, (-0.1, 0.0, 0.0, 0.0, 0.0))


def info(
    second: float,
    width: int = 64,
    height: int = 48,
    focal: float = 60.0,
    topic: str = "/camera/camera_info",
    ros1: bool = False,
) -> tuple[int, str, str, Any]:
    """A CameraInfo for a bag, of CAMERA."""
    message = Messages(ros1).camera_info(
        at(second), width, height, [focal, *K[1:]], CAMERA.distortion, P
    )
    return at(second), topic, CAMERA_INFO, message


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
@pytest.mark.parametrize("image_format", ["jpeg", "rgb8"])
def test_the_segment_names_the_camera_of_camera_info(
    tmp_path: Path, storage: Storage, image_format: str
) -> None:
    infos = [info(second, ros1=storage == "ros1") for second in range(11)]
    name = "drive.bag" if storage == "ros1" else "drive"
    bag = drive(tmp_path / name, storage, extra=infos, image_format=image_format)
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    assert (summary.frames, summary.kept) == (21, 21)
    assert PlaceMap.load(tmp_path / "map").segments[0].camera == CAMERA
    assert summary.bags[0].camera == CAMERA
    assert summary.to_json()["bags"][0]["camera"]["fy"] == 61.0
    assert "drive: camera of 64 x 48 pixels, focal length 60.0, 61.0, plumb_bob" in (
        summary.table().replace("drive.bag", "drive")
    )
    assert not summary.bags[0].warnings


def test_the_camera_of_rectified_images(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", extra=[info(0)], image_topic="/camera/image_rect/compressed")
    build_map([bag], tmp_path / "map", grey())
    camera = PlaceMap.load(tmp_path / "map").segments[0].camera
    assert camera == CameraModel(64, 48, 50.0, 50.0, 31.5, 23.5)


@pytest.mark.parametrize(
    "extra",
    [
        [],
        [(at(0), "/camera/camera_info", IMAGE, Messages().image(at(0), picture(0)))],
    ],
)
def test_without_camera_info_no_camera_is_named(tmp_path: Path, extra: list[Any]) -> None:
    topic = "/camera/image_raw/compressed"
    bag = drive(tmp_path / "bag", extra=extra)
    summary = build_map([bag], tmp_path / "map", grey(), MappingSettings(image_topic=topic))
    check(summary)
    assert summary.kept > 0
    assert not summary.bags[0].warnings
    assert PlaceMap.load(tmp_path / "map").segments[0].camera is None


def test_camera_info_elsewhere_is_named_and_can_be_chosen(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", extra=[info(0, topic="/calibration/front")])
    summary = build_map([bag], tmp_path / "map", grey())
    assert summary.kept > 0
    assert summary.bags[0].camera is None
    (warning,) = summary.bags[0].warnings
    assert "no camera_info beside /camera/image_raw/compressed" in warning
    assert warning.endswith("--camera-info-topic: /calibration/front")

    for rectified, camera in ((False, CAMERA), (True, CameraModel(64, 48, 50.0, 50.0, 31.5, 23.5))):
        chosen = MappingSettings(camera_info_topic="/calibration/front", rectified=rectified)
        output = tmp_path / f"chosen-{rectified}"
        summary = build_map([bag], output, grey(), chosen)
        check(summary)
        assert not summary.bags[0].warnings
        assert PlaceMap.load(output).segments[0].camera == camera


def test_a_camera_info_that_is_not_there_is_told_before_the_work(tmp_path: Path) -> None:
    describer = GreyDescriber()
    chosen = MappingSettings(camera_info_topic="/fix")
    with pytest.raises(
        BagError, match=r"/fix \(--camera-info-topic\) is sensor_msgs/msg/NavSatFix"
    ):
        build_map([drive(tmp_path / "bag")], tmp_path / "map", cast(Describer, describer), chosen)
    assert not (tmp_path / "map").exists()
    assert not describer.described


@pytest.mark.parametrize(
    ("infos", "camera", "warning"),
    [
        (
            [info(0, focal=0.0), info(1), info(2, focal=0.0)],
            CAMERA,
            "/camera/camera_info: 2 of 3 messages say nothing of the camera (the first: the camera"
            " is not calibrated: its focal length is zero)",
        ),
        (
            [info(0), info(1, focal=60.5), info(2, focal=61.0)],
            None,
            "/camera/camera_info is not always of one camera: the segment names none",
        ),
        (
            [info(0, height=36)],
            None,
            "/camera/camera_info is of 64 x 36 pixels, which an image of 64 x 48 is not a smaller"
            " copy of: the segment names no camera",
        ),
    ],
)
def test_a_camera_info_that_cannot_be_believed_loses_nothing(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    infos: list[Any],
    camera: CameraModel | None,
    warning: str,
) -> None:
    bag = drive(tmp_path / "bag", extra=infos)
    with caplog.at_level(logging.WARNING):
        summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    assert (summary.frames, summary.kept) == (21, 21)
    assert summary.bags[0].warnings == [warning]
    assert warning in caplog.text
    assert summary.bags[0].camera == camera
    assert PlaceMap.load(tmp_path / "map").segments[0].camera == camera


def test_a_camera_info_that_cannot_be_decoded_is_counted(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "sqlite3", extra=[info(0), info(1)])
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute(
            "UPDATE messages SET data = substr(data, 1, 40) WHERE timestamp = ? AND topic_id ="
            " (SELECT id FROM topics WHERE name = '/camera/camera_info')",
            (at(1),),
        )
    database.close()
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    assert summary.kept == 21
    (warning,) = summary.bags[0].warnings
    assert "/camera/camera_info: 1 message could not be decoded and was left out" in warning
    assert summary.bags[0].camera == CAMERA


# Damage


def test_corrupt_images_are_counted_and_named_and_the_next_one_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make = Messages()
    topic = "/camera/image_raw/compressed"
    extra = []
    for second in range(7):
        message = make.compressed_image(at(second + 0.25), picture(0))
        message.data = message.data[: 40 + second]
        extra.append((at(second + 0.25), topic, "sensor_msgs/msg/CompressedImage", message))
    bag = drive(tmp_path / "bag", extra=extra)
    # 1 m between frames where the corrupt ones are: each is wanted, and so is the one after it.
    with caplog.at_level(logging.WARNING):
        summary = build_map([bag], tmp_path / "map", grey(), MappingSettings(keyframe_distance=0.9))
    check(summary)
    assert (summary.frames, summary.kept, summary.corrupt) == (28, 21, 7)
    assert summary.bags[0].corrupt_stamps == [at(second + 0.25) for second in range(5)]
    assert "image at 1700000000.250 s left out" in caplog.text
    assert summary.to_json()["corrupt"] == 7


def test_a_bag_of_nothing_but_corrupt_images_says_so(tmp_path: Path) -> None:
    make = Messages()
    message = make.raw_image(at(1), 48, 64, "rgb8", 192, b"\0" * 99)
    bag = drive(tmp_path / "bag", images=(), extra=[(at(1), "/cam", IMAGE, message)])
    with pytest.raises(BagError, match=r"1 that cannot be decoded .*rgb8"):
        build_map([bag], tmp_path / "map", grey())


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_a_truncated_bag_gives_what_can_be_read(tmp_path: Path, storage: Storage) -> None:
    name = "drive.bag" if storage == "ros1" else "drive"
    # Big noisy images: the cut falls among them, and not in what closes the file.
    noise = np.random.default_rng(0)
    frames = [(at(i / 2), noise.integers(0, 256, (64, 96, 3), dtype=np.uint8)) for i in range(201)]
    bag = drive(tmp_path / name, storage, seconds=100, images=frames, image_format="rgb8")
    whole = bag if storage == "ros1" else next(f for f in bag.iterdir() if f.suffix != ".yaml")
    data = whole.read_bytes()
    cut = tmp_path / f"cut{whole.suffix}"
    cut.write_bytes(data[: int(0.6 * len(data))])
    summary = build_map([cut], tmp_path / "map", grey())
    check(summary)
    assert 50 < summary.kept < 200
    assert summary.bags[0].warnings
    assert all("\n" not in warning for warning in summary.bags[0].warnings)


def test_a_database_with_damaged_rows_still_opens(tmp_path: Path) -> None:
    """Sanity of the writers: the sqlite3 bag is a database like those of other programs."""
    bag = drive(tmp_path / "bag", "sqlite3")
    connection = sqlite3.connect(next(bag.glob("*.db3")))
    assert connection.execute("select count(*) from messages").fetchone() == (32,)
    connection.close()


# Interruption, progress, memory


class InterruptedDescriber(GreyDescriber):
    """Is interrupted while it describes its 30th image."""

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        for description in super().stream(images):
            if self.described >= 30:
                raise KeyboardInterrupt
            yield description


def test_an_interrupt_keeps_the_segments_that_were_finished(tmp_path: Path) -> None:
    bags = [drive(tmp_path / name) for name in ("one", "two", "three")]
    with pytest.raises(KeyboardInterrupt):
        build_map(bags, tmp_path / "map", cast(Describer, InterruptedDescriber()))
    assert [s.name for s in PlaceMap.load(tmp_path / "map").segments] == ["one"]
    assert build_map(bags[1:], tmp_path / "map", grey()).segments == 3


def test_an_interrupt_in_the_first_bag_leaves_nothing(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", seconds=30)
    with pytest.raises(KeyboardInterrupt):
        build_map([bag], tmp_path / "map", cast(Describer, InterruptedDescriber()))
    assert not (tmp_path / "map").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_bar_shows_rate_and_remaining_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = drive(tmp_path / "bag", seconds=200)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    build_map([bag], tmp_path / "map", grey(), progress=True)
    shown = terminal.getvalue()
    assert "bag: images" in shown
    assert "/401 [" in shown
    assert "frames/s]" in shown  # tqdm: [elapsed<remaining, rate]
    assert capsys.readouterr().out == ""


def test_a_terminal_that_does_not_know_its_size_has_a_bar_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As within `docker exec -t`: tqdm then took the bar for hidden."""
    bag = drive(tmp_path / "bag")
    reading, writing = os.openpty()  # 0 x 0, unless told otherwise
    os.set_blocking(reading, False)
    monkeypatch.delenv("COLUMNS", raising=False)
    with os.fdopen(writing, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        build_map([bag], tmp_path / "map", grey(), progress=True)
        shown = os.read(reading, 4096).decode()
    os.close(reading)
    assert "bag: images:   0%|" in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_no_progress_bar_where_nobody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    build_map([drive(tmp_path / "bag")], tmp_path / "map", grey(), progress=not terminal)
    assert stream.getvalue() == ""


def peak_memory(bag: Path, output: Path) -> int:
    tracemalloc.start()
    try:
        build_map([bag], output, grey(), EVERY)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_bag(tmp_path: Path) -> None:
    """28 MB of raw images and four times that: the peaks differ by less than two images."""
    size = {"height": 240, "width": 320}
    bags = {
        seconds: drive(
            tmp_path / str(seconds),
            seconds=seconds,
            images=images(2 * seconds + 1, **size),
            image_format="rgb8",
        )
        for seconds in (60, 240)
    }
    build_map([bags[60]], tmp_path / "warm", grey(), EVERY)  # imports and caches
    short = peak_memory(bags[60], tmp_path / "short")
    long = peak_memory(bags[240], tmp_path / "long")
    assert long < short + 0.3e6
    assert short < 10e6


# Real recordings


@pytest.mark.shared
def test_real_street_photos_find_their_neighbours(
    tmp_path: Path, shared: Path, tiny_weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bags = shared / "data" / "bags"
    describer = load_describer(tiny_weights, device="cpu")
    built = build_map([bags / "lund_map_even"], tmp_path / "map", describer)
    asked = build_map([bags / "lund_query_odd"], tmp_path / "queries", describer, EVERY)
    check(built)
    check(asked)
    place_map, queries = PlaceMap.load(built.map), PlaceMap.load(asked.map)
    assert place_map.datum is not None
    assert queries.datum is not None
    truth = place_map.datum.to_map(*queries.datum.to_wgs84(queries.positions))
    distances = np.linalg.norm(truth[:, None, :2] - place_map.positions[None, :, :2], axis=2)
    similarity = (
        queries.gather(np.arange(len(queries))) @ place_map.gather(np.arange(len(place_map))).T
    )
    near = distances < 10
    best = np.argsort(-similarity, axis=1)
    hits = np.take_along_axis(near, best, axis=1)
    recall = hits[:, 0].mean(), hits[:, :5].any(axis=1).mean()
    chance = near.mean()
    with capsys.disabled():
        print(
            f"\nLund even/odd, {tiny_weights}, 10 m: R@1 {recall[0]:.2f}, R@5 {recall[1]:.2f},"
            f" chance {chance:.2f}"
        )
    assert recall[0] >= 0.7
    assert chance < 0.2


@pytest.mark.shared
def test_the_last_photos_of_lund_stand_on_one_fix(tmp_path: Path, shared: Path) -> None:
    """The drive ends on three photos at one position: it stands there, and where it stands the
    heading is unknown without orientation, also at the first of them, after which it stands.
    """
    bag = shared / "data" / "bags" / "lund_all"
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    assert (summary.frames, summary.kept) == (29, 29)
    assert summary.bags[0].track_length == pytest.approx(197, abs=10)
    place_map = PlaceMap.load(tmp_path / "map")
    np.testing.assert_allclose(place_map.positions[-3:], place_map.positions[-3:][[0, 0, 0]])
    known = np.isfinite(place_map.headings)
    assert known[:-3].mean() > 0.9
    assert not known[-3:].any()
    # The street runs from one end to the other: headings agree with the whole way.
    whole = place_map.positions[-1] - place_map.positions[0]
    along = np.abs(np.angle(np.exp(1j * (place_map.headings - math.atan2(whole[1], whole[0])))))
    assert np.median(along[known]) < math.radians(30)


@pytest.mark.shared
def test_a_campus_loop_keeps_the_poses_of_its_odometry(tmp_path: Path, shared: Path) -> None:
    bag = shared / "data" / "bags" / "toshiki_loop"
    summary = build_map([bag], tmp_path / "map", grey(), EVERY)
    check(summary)
    assert (summary.kept, summary.datum) == (72, None)
    assert summary.bags[0].headings["pose"] == 72
    assert summary.bags[0].track_length == pytest.approx(217, abs=2)
    place_map = PlaceMap.load(tmp_path / "map")
    steps = np.diff(place_map.positions[:, :2], axis=0)
    ways = np.arctan2(steps[:, 1], steps[:, 0])
    apart = np.abs(np.angle(np.exp(1j * (place_map.headings[:-1] - ways))))
    assert np.median(apart) < math.radians(15)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["t265_db3", "t265_mcap", "trimmed_locoffice.bag"])
def test_one_recording_in_three_containers_gives_one_map(
    tmp_path: Path, shared: Path, name: str
) -> None:
    settings = MappingSettings(keyframe_distance=0, image_topic="/camera/fisheye1/image_raw")
    bag = shared / "data" / "bags" / name
    with pytest.raises(BagError, match=r"--image-topic.*fisheye1.*fisheye2"):
        build_map([bag], tmp_path / "map", grey())
    summary = build_map([bag], tmp_path / "map", grey(), settings)
    check(summary)
    assert (summary.frames, summary.kept) == (3, 2)  # the first comes before any odometry
    assert summary.dropped["outside_track"] == 1
    place_map = PlaceMap.load(tmp_path / "map")
    np.testing.assert_allclose(place_map.positions[0], [3.9, 0.63, 0.42], atol=0.05)


@pytest.mark.shared
def test_a_bag_without_camera_says_what_is_missing(tmp_path: Path, shared: Path) -> None:
    with pytest.raises(BagError, match=r"no image topic.*/fix"):
        build_map([shared / "data" / "bags" / "husky_navsat_mcap"], tmp_path / "map", grey())


@pytest.mark.parametrize("kind", ["odometry", "poses", "imu", "fixes"])
@pytest.mark.parametrize("far", [12 * SECOND, 2_000_000_000 * SECOND])
def test_one_message_from_before_the_clock_was_set_does_no_harm(
    tmp_path: Path, kind: str, far: int
) -> None:
    extra: dict[str, Any]
    if kind == "fixes":
        extra = {"fixes": [(far, *ORIGIN, 40.0, 1.0, 0), *fixes(10)]}
    elif kind == "imu":
        extra = {"imu": [(far, 0.3), *((at(t / 10), 0.3) for t in range(101))]}
    else:
        moves = ((at(t / 10), 0.42 * t, 0.0, 0.0) for t in range(101))
        extra = {kind: [(far, 0.0, 0.0, 0.0), *moves]}
    summary = build_map([drive(tmp_path / "drive", **extra)], tmp_path / "map", grey())
    assert summary.kept == 21
    source = {"fixes": "track", "imu": "imu"}.get(kind, "pose")
    # A fix years after the last image says nothing of where that one was going.
    assert summary.bags[0].headings[source] >= (20 if kind == "fixes" else 21)


def test_the_bag_one_stands_in_has_its_folder_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drive(tmp_path / "monday"))
    (tmp_path / "map").mkdir()
    summary = build_map(["."], "../map", grey())
    assert (summary.bags[0].name, summary.bags[0].segment) == ("monday", "monday")
    monkeypatch.chdir(tmp_path / "map")
    build_map(["../monday"], ".", grey())
    assert [s.name for s in PlaceMap.load(".").segments] == ["monday", "monday-2"]
