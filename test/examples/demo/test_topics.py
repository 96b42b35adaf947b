from __future__ import annotations

import pytest

from examples.demo.topics import Topics
from selavpr_ros.bags.topics import TopicInfo
from selavpr_ros.errors import BagError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
FIX, ODOMETRY = "sensor_msgs/msg/NavSatFix", "nav_msgs/msg/Odometry"


class Bag:
    """What is read of a bag's reader."""

    def __init__(self, **types: str) -> None:
        self.topics = {f"/{n}": TopicInfo(f"/{n}", kind, 3) for n, kind in types.items()}


def test_topics_are_found_by_their_types():
    bag = Bag(camera=COMPRESSED, gps=FIX, odom=ODOMETRY, words="std_msgs/msg/String")
    topics = Topics()
    found = topics.image_in(bag), topics.fix_in(bag), topics.pose_in(bag)
    assert found == ("/camera", "/gps", "/odom")


def test_what_the_user_says_is_taken():
    bag = Bag(left=IMAGE, right=IMAGE)
    assert Topics(image="/right").image_in(bag) == "/right"


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        (Topics(), r"/left .*, /right "),
        (Topics(image="/up"), "/up"),
        (Topics(image="/gps"), "/gps"),
    ],
)
def test_several_that_fit_none_and_one_of_another_type_are_errors(topics, message):
    with pytest.raises(BagError, match=message):
        topics.image_in(Bag(left=IMAGE, right=IMAGE, gps=FIX))


def test_a_bag_without_any_is_an_error():
    for find in (Topics().image_in, Topics().fix_in, Topics().pose_in):
        with pytest.raises(BagError):
            find(Bag(words="std_msgs/msg/String"))


def test_the_map_is_built_from_the_same_topics():
    assert Topics().flags() == []
    chosen = Topics(image="/right", pose="/odom").flags()
    assert chosen == ["--image-topic", "/right", "--pose-topic", "/odom"]
