from __future__ import annotations

import pytest
from backports import zstd

from selavpr_ros.bags.decoding import Decoder, UndecodableError
from selavpr_ros.bags.storage import Channel
from test.bags_on_disk import IMU, NAV_SAT_FIX, ROS1, ROS2, Messages

FIX = bytes(ROS2.serialize_cdr(Messages().fix(5, 55.5, 13.0), NAV_SAT_FIX))
FIX_DEFINITION = ROS2.generate_msgdef(NAV_SAT_FIX, ros_version=2)[0]
OWN_DEFINITION = (
    "uint8 count\nstring name\npkg/Inner[] inner\n" + "=" * 80 + "\nMSG: pkg/Inner\nfloat32 x\n"
)
OWN = b"\x00\x01\x00\x00" + b"\x03\x00\x00\x00" + b"\x03\x00\x00\x00ab\x00" + bytes(1)
OWN += b"\x01\x00\x00\x00" + b"\x00\x00\x80\x3f"
IDL = """module pkg { module msg { struct Own { uint8 count; string name; }; }; };"""


def channel(
    type_name: str, definition: str = "", schema: str = "ros2msg", encoding: str = "cdr"
) -> Channel:
    return Channel("/topic", type_name, encoding, schema if definition else "", definition)


def test_by_the_definition_in_the_bag() -> None:
    message = Decoder().decode(channel("pkg/msg/Own", OWN_DEFINITION), OWN)
    assert (message.count, message.name, message.inner[0].x) == (3, "ab", 1.0)


@pytest.mark.parametrize("wrapped", [False, True])
def test_by_an_idl_definition(wrapped: bool) -> None:
    text = "=" * 80 + "\nIDL: pkg/msg/Own\n" + IDL if wrapped else IDL
    data = b"\x00\x01\x00\x00" + b"\x03\x00\x00\x00" + b"\x03\x00\x00\x00ab\x00"
    message = Decoder().decode(channel("pkg/msg/Own", text, "ros2idl"), data)
    assert (message.count, message.name) == (3, "ab")


@pytest.mark.parametrize("distribution", [None, "humble", "jazzy", "imaginary"])
@pytest.mark.parametrize("definition", ["", "this is no definition {"])
def test_common_types_need_no_definition(distribution: str | None, definition: str) -> None:
    message = Decoder(distribution).decode(channel(NAV_SAT_FIX, definition), FIX)
    assert message.latitude == 55.5


def test_common_types_of_ros_1_need_none_either() -> None:
    data = ROS1.serialize_ros1(Messages(ros1=True).fix(5, 55.5, 13.0), NAV_SAT_FIX)
    message = Decoder().decode(channel(NAV_SAT_FIX, encoding="ros1"), data)
    assert (message.latitude, message.header.stamp.nanosec) == (55.5, 5)


def test_types_of_one_name_and_two_definitions() -> None:
    decoder = Decoder()
    old = channel("pkg/msg/Own", "uint8 a\n")
    new = channel("pkg/msg/Own", "uint8 b\n")
    assert decoder.decode(old, b"\x00\x01\x00\x00\x07").a == 7
    assert decoder.decode(new, b"\x00\x01\x00\x00\x07").b == 7


def test_messages_compressed_one_by_one() -> None:
    decoder = Decoder()
    assert decoder.decode(channel(NAV_SAT_FIX, FIX_DEFINITION), zstd.compress(FIX)).latitude == 55.5
    assert decoder.decode(channel(NAV_SAT_FIX), memoryview(FIX)).latitude == 55.5
    with pytest.raises(UndecodableError):
        decoder.decode(channel(NAV_SAT_FIX), zstd.compress(FIX)[:-8])


@pytest.mark.parametrize("length", [0, 1, 3, 4, 10, 30, 60, len(FIX) - 1])
def test_messages_cut_short(length: int) -> None:
    with pytest.raises(UndecodableError):
        Decoder().decode(channel(NAV_SAT_FIX, FIX_DEFINITION), FIX[:length])


def test_no_data_is_too_odd() -> None:
    decoder = Decoder()
    for type_name in (NAV_SAT_FIX, IMU, "sensor_msgs/msg/Image", "nav_msgs/msg/Path"):
        for position in range(len(FIX)):
            changed = bytearray(FIX)
            changed[position] ^= 0xFF
            try:
                decoder.decode(channel(type_name), bytes(changed))
            except UndecodableError as error:
                text = str(error)
                if "\n" in text:
                    pytest.fail(text)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (channel("pkg/msg/Own"), "pkg/msg/Own is not in the bag"),
        (channel("pkg/msg/Own", "}{ uint8\n"), "pkg/msg/Own is damaged"),
        (channel("pkg/msg/Own", "pkg/Missing x\n"), "pkg/msg/Own is damaged"),
        (channel("pkg/msg/Own", "uint8 class\n=", "ros2idl"), "pkg/msg/Own is damaged"),
        (channel("", ""), "is not in the bag"),
        (channel("foxglove.Image", "x", "protobuf", "protobuf"), "'protobuf' are not supported"),
    ],
)
def test_types_that_are_not_known(odd: Channel, says: str) -> None:
    decoder = Decoder()
    for _ in range(2):
        with pytest.raises(UndecodableError, match=says):
            decoder.decode(odd, FIX)
