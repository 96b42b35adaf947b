from __future__ import annotations

import pytest

from selavpr_ros.bags import TopicInfo, choose_topic
from selavpr_ros.errors import BagError

IMAGE, COMPRESSED, FIX, IMU = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "NavSatFix", "Imu")
)
IMAGES = (IMAGE, COMPRESSED)


def topics(*rows: tuple[str, str, int]) -> dict[str, TopicInfo]:
    return {name: TopicInfo(name, type_name, count) for name, type_name, count in rows}


def test_the_only_topic_of_a_fitting_type_is_chosen() -> None:
    bag = topics(("/a", FIX, 3), ("/b", COMPRESSED, 9), ("/c", IMU, 5))
    assert choose_topic(bag, IMAGES, None, "image") == "/b"
    assert choose_topic(bag, (FIX,), "", "fix") == "/a"


def test_topics_without_messages_do_not_count() -> None:
    bag = topics(("/left", IMAGE, 0), ("/right", IMAGE, 2))
    assert choose_topic(bag, IMAGES, None, "image") == "/right"


def test_several_topics_are_listed_with_types_counts_and_the_flag() -> None:
    bag = topics(("/left", IMAGE, 7), ("/right", COMPRESSED, 1), ("/fix", FIX, 9))
    with pytest.raises(BagError) as caught:
        choose_topic(bag, IMAGES, None, "image")
    text = str(caught.value)
    assert "--image-topic" in text
    assert f"/left ({IMAGE}, 7 messages)" in text
    assert f"/right ({COMPRESSED}, 1 message)" in text
    assert "/fix" not in text
    assert "\n" not in text
    with pytest.raises(BagError, match="several topics could be the image topic"):
        choose_topic(bag, IMAGES, None, "image", required=False)


def test_a_required_topic_that_is_not_there() -> None:
    with pytest.raises(BagError, match=rf"no image topic.*/fix \({FIX}, 9 messages\)"):
        choose_topic(topics(("/fix", FIX, 9)), IMAGES, None, "image")
    with pytest.raises(BagError, match="it holds: no topics"):
        choose_topic({}, IMAGES, None, "image")
    with pytest.raises(BagError, match=r"the image topic has no messages: /left .*0 messages"):
        choose_topic(topics(("/left", IMAGE, 0)), IMAGES, None, "image")


def test_an_optional_topic_that_is_not_there() -> None:
    assert choose_topic(topics(("/fix", FIX, 9)), (IMU,), None, "imu", required=False) is None
    assert choose_topic(topics(("/imu", IMU, 0)), (IMU,), None, "imu", required=False) is None


@pytest.mark.parametrize("required", [True, False])
def test_the_given_topic(required: bool) -> None:
    bag = topics(("/left", IMAGE, 7), ("/right", IMAGE, 1), ("/fix", FIX, 9), ("bare", IMAGE, 1))
    assert choose_topic(bag, IMAGES, "/right", "image", required) == "/right"
    assert choose_topic(bag, IMAGES, "right", "image", required) == "/right"
    assert choose_topic(bag, IMAGES, "bare", "image", required) == "bare"
    with pytest.raises(BagError) as caught:
        choose_topic(bag, IMAGES, "/middle", "image", required)
    assert "/middle (--image-topic) is not in the bag" in str(caught.value)
    assert f"/left ({IMAGE}, 7 messages)" in str(caught.value)
    with pytest.raises(BagError) as caught:
        choose_topic(bag, IMAGES, "/fix", "image", required)
    assert f"/fix (--image-topic) is {FIX}, but {COMPRESSED} or {IMAGE} is" in str(caught.value)
