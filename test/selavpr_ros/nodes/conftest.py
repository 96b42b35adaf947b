from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.geodesy import Datum
from selavpr_ros.nodes.localization.parameters import Settings
from test.selavpr_ros.nodes.live import NodeProcess, Probe, RemoteNode, own_domain

DATUM = Datum.at(55.7047, 13.191, 40.0)
SPACING = 5.0


class Street(NamedTuple):
    """A map and what it was made from; places are numbered as the images are."""

    path: Path
    images: list[NDArray[np.uint8]]
    positions: NDArray[np.float64]
    headings: NDArray[np.float32]
    describer: Any


def pattern(seed: int) -> NDArray[np.uint8]:
    """A picture like no other: large smooth blobs, which survive compression."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_map(path: Path, street: Street, rows: slice, **model_changes: Any) -> Path:
    """A map of some of the street's places, perhaps with a model that is not the street's."""
    from selavpr_core.place_map import MapWriter, ModelInfo

    model = replace(ModelInfo.from_describer(street.describer), **model_changes)
    images = street.images[rows]
    described = street.describer(images)
    count = len(images)
    unknown = np.isnan(street.headings[rows])
    jpegs = [cv2.imencode(".jpg", image[:, :, ::-1])[1].tobytes() for image in images]
    with MapWriter(path, model, DATUM) as writer, writer.segment("drive", "a test") as segment:
        segment.add(
            described.codes,
            described.descriptors,
            street.positions[rows],
            street.headings[rows],
            np.where(unknown, np.nan, 0.05).astype(np.float32),
            np.full(count, 0.5, np.float32),
            np.arange(count, dtype=np.int64) * 10**9,
            jpegs,
        )
    return path


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    """Eight places along a street and four round the corner; the last has no heading."""
    from selavpr_core.describer import load_describer

    along = [(SPACING * i, 0.0, 1.0) for i in range(8)]
    corner = [(SPACING * 8, SPACING * (i + 1), 1.0) for i in range(4)]
    headings = [0.0] * 8 + [np.pi / 2] * 3 + [np.nan]
    path = tmp_path_factory.mktemp("maps") / "street"
    street = Street(
        path,
        [pattern(seed) for seed in range(12)],
        np.array(along + corner),
        np.array(headings, np.float32),
        load_describer("random:tiny", device="cpu"),
    )
    write_map(path, street, slice(None))
    return street


@pytest.fixture(scope="session")
def domain() -> Iterator[int]:
    pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")
    with own_domain() as number:
        yield number


@pytest.fixture(scope="session")
def probe(domain: int) -> Iterator[Probe]:
    from diagnostic_msgs.msg import DiagnosticArray

    probe = Probe(domain)
    probe.listen("/diagnostics", DiagnosticArray)
    yield probe
    probe.close()


@pytest.fixture(scope="session")
def process(domain: int) -> Iterator[NodeProcess]:
    """One node for most tests: a process costs seconds, a transition milliseconds."""
    process = NodeProcess(domain)
    yield process
    process.close()


@pytest.fixture
def node(process: NodeProcess, probe: Probe, street: Street) -> RemoteNode:
    """The node, unconfigured, with default parameters and the street for its map."""
    assert process.process.poll() is None, process.output
    node = RemoteNode(probe)
    node.unconfigure()
    node.pause(False)
    defaults = vars(Settings()) | {"map": str(street.path), "use_sim_time": False}
    assert node.set_parameters(**defaults) == []
    probe.unpublish("/image")
    probe.clear()
    return node


@pytest.fixture
def active(node: RemoteNode) -> RemoteNode:
    """The node, active."""
    assert node.configure()
    assert node.activate()
    return node
