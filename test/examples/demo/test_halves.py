from __future__ import annotations

import numpy as np
import pytest

from examples.demo.errors import DemoError
from examples.demo.halves import split
from examples.demo.topics import Topics
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.errors import BagError
from selavpr_ros.images import to_rgb
from test.bags_on_disk import write_bag

SECOND = 1_000_000_000


def picture(number: int) -> np.ndarray:
    return np.full((8, 12, 3), 20 * number, np.uint8)


def contents(bag):
    with BagReader(bag) as reader:
        messages = [(t, stamp_of(m, s), m) for t, s, m in reader.messages(set(reader.topics))]
        images = {stamp: to_rgb(m) for t, stamp, m in messages if t == Topics().image_in(reader)}
        others = [(topic, stamp) for topic, stamp, _ in messages if stamp not in images]
    return images, others


@pytest.mark.parametrize("storage", ["mcap", "sqlite3", "ros1"])
def test_images_are_dealt_out_and_positions_are_in_both(tmp_path, storage):
    bag = write_bag(
        tmp_path / ("drive.bag" if storage == "ros1" else "drive"),
        storage,
        images=[(number * SECOND, picture(number)) for number in range(1, 8)],
        fixes=[(number * SECOND // 2 + 1, 55.0, 13.0) for number in range(20)],
        odometry=[(number * SECOND // 2 + 2, 0.0, 0.0, 0.0) for number in range(20)],
    )
    assert split(bag, tmp_path / "map", tmp_path / "query", Topics()) == (4, 3)
    first, others = contents(tmp_path / "map")
    second, same_others = contents(tmp_path / "query")
    assert sorted(first) == [1 * SECOND, 3 * SECOND, 5 * SECOND, 7 * SECOND]
    assert sorted(second) == [2 * SECOND, 4 * SECOND, 6 * SECOND]
    for stamp, image in (first | second).items():
        assert np.array_equal(image, picture(stamp // SECOND))
    assert len(others) == 40
    assert others == same_others


def test_one_image_is_too_few(tmp_path):
    bag = write_bag(tmp_path / "drive", images=[(SECOND, picture(1))], fixes=[(1, 55.0, 13.0)])
    with pytest.raises(DemoError, match="1 image: two are needed"):
        split(bag, tmp_path / "map", tmp_path / "query", Topics())


def test_several_cameras_ask_for_a_choice(tmp_path):
    bag = write_bag(tmp_path / "left", images=[(n * SECOND, picture(n)) for n in range(1, 4)])
    both = write_bag(
        tmp_path / "both",
        images=[(n * SECOND, picture(n)) for n in range(1, 4)],
        image_topic="/right",
        extra=rows_of(bag),
    )
    with pytest.raises(BagError, match="--image-topic"):
        split(both, tmp_path / "map", tmp_path / "query", Topics())
    chosen = Topics(image="/right")
    assert split(both, tmp_path / "map2", tmp_path / "query2", chosen) == (2, 1)
    assert chosen.flags() == ["--image-topic", "/right"]


def rows_of(bag):
    with BagReader(bag) as reader:
        return [(s, t, reader.topics[t].type, m) for t, s, m in reader.messages(set(reader.topics))]
