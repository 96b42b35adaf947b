"""Every encoding against an oracle that reads the message's bytes one by one."""

from __future__ import annotations

import array
import struct
import sys
import types
import zlib
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from test.bags_on_disk import Messages

Pixel = tuple[int, int, int]


def image(
    encoding: str,
    height: int,
    width: int,
    step: int,
    data: Any,
    is_bigendian: int = 0,
) -> SimpleNamespace:
    return SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        data=data,
        is_bigendian=is_bigendian,
    )


def noise(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def assert_pixels(result: NDArray[np.uint8], height: int, width: int, pixel_at: Any) -> None:
    """Compare `result` with the oracle `pixel_at(row, column)` at every pixel."""
    assert result.shape == (height, width, 3)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert result.flags.writeable
    for row in range(height):
        for column in range(width):
            assert tuple(int(v) for v in result[row, column]) == pixel_at(row, column), (
                row,
                column,
            )


# --- packed: grey and colour samples side by side -----------------------------------------------

# encoding -> samples a pixel, bytes a sample, which sample is red, green, blue
PACKED = {
    "mono8": (1, 1, (0, 0, 0)),
    "8UC1": (1, 1, (0, 0, 0)),
    "mono16": (1, 2, (0, 0, 0)),
    "16UC1": (1, 2, (0, 0, 0)),
    "rgb8": (3, 1, (0, 1, 2)),
    "rgb16": (3, 2, (0, 1, 2)),
    "bgr8": (3, 1, (2, 1, 0)),
    "bgr16": (3, 2, (2, 1, 0)),
    "8UC3": (3, 1, (2, 1, 0)),
    "16UC3": (3, 2, (2, 1, 0)),
    "rgba8": (4, 1, (0, 1, 2)),
    "rgba16": (4, 2, (0, 1, 2)),
    "bgra8": (4, 1, (2, 1, 0)),
    "bgra16": (4, 2, (2, 1, 0)),
    "8UC4": (4, 1, (2, 1, 0)),
    "16UC4": (4, 2, (2, 1, 0)),
}

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@pytest.mark.parametrize("encoding", PACKED)
@settings(max_examples=25, deadline=None)
@given(size=sizes, padding=st.integers(0, 7), big=st.booleans(), seed=st.integers(0, 9))
def test_packed_encodings(
    encoding: str, size: tuple[int, int], padding: int, big: bool, seed: int
) -> None:
    samples, sample_bytes, order = PACKED[encoding]
    height, width = size
    step = width * samples * sample_bytes + padding
    data = noise(height * step, seed)

    def pixel_at(row: int, column: int) -> Pixel:
        values = []
        for sample in order:
            start = row * step + (column * samples + sample) * sample_bytes
            if sample_bytes == 1:
                values.append(data[start])
            else:
                (value,) = struct.unpack_from(">H" if big else "<H", data, start)
                values.append(value >> 8)
        return tuple(values)

    assert_pixels(to_rgb(image(encoding, height, width, step, data, int(big))), *size, pixel_at)


def test_a_step_of_zero_means_rows_without_padding() -> None:
    data = noise(3 * 5 * 3)
    assert np.array_equal(
        to_rgb(image("rgb8", 3, 5, 0, data)), to_rgb(image("rgb8", 3, 5, 15, data))
    )


def test_the_last_row_may_lack_its_padding() -> None:
    data = noise(3 * 20)
    whole = to_rgb(image("bgr8", 3, 5, 20, data))
    assert np.array_equal(to_rgb(image("bgr8", 3, 5, 20, data[:-5])), whole)
    with pytest.raises(ImageError, match="at least 55 bytes"):
        to_rgb(image("bgr8", 3, 5, 20, data[:-6]))


def test_case_and_spaces_of_the_encoding_do_not_matter() -> None:
    data = noise(12)
    assert np.array_equal(
        to_rgb(image(" RGB8", 2, 2, 6, data)), to_rgb(image("rgb8", 2, 2, 6, data))
    )


@pytest.mark.parametrize(
    "wrapped",
    [
        bytes,
        bytearray,
        memoryview,
        lambda data: array.array("B", data),
        lambda data: np.frombuffer(data, np.uint8),
    ],
    ids=["bytes", "bytearray", "memoryview", "rclpy", "rosbags"],
)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
def test_pixels_do_not_share_memory_with_the_message(wrapped: Any, encoding: str) -> None:
    data = noise(4 * 12)
    message = image(encoding, 4, 4, 12, wrapped(data))
    pixels = to_rgb(message)
    pixels[:] = 0
    assert bytes(message.data) == data
    assert not np.shares_memory(pixels, np.frombuffer(message.data, np.uint8))


# --- Bayer ---------------------------------------------------------------------------------------


def demosaiced(mosaic: list[list[int]], pattern: str, row: int, column: int) -> Pixel:
    """Bilinear: a colour is the rounded mean of its nearest samples; mirrored at the border."""
    height, width = len(mosaic), len(mosaic[0])

    def mirrored(index: int, length: int) -> int:
        if index < 0:
            return -index
        return 2 * length - 2 - index if index >= length else index

    def colour(r: int, c: int) -> str:
        return pattern[(r % 2) * 2 + c % 2]

    values = []
    for wanted in "rgb":
        if colour(row, column) == wanted:
            values.append(mosaic[row][column])
            continue
        crossing = [(-1, 0), (1, 0), (0, -1), (0, 1)]
        diagonal = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
        near = [o for o in crossing if colour(row + o[0], column + o[1]) == wanted]
        near = near or [o for o in diagonal if colour(row + o[0], column + o[1]) == wanted]
        found = [mosaic[mirrored(row + r, height)][mirrored(column + c, width)] for r, c in near]
        values.append((sum(found) + len(found) // 2) // len(found))
    return tuple(values)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    padding=st.integers(0, 5),
    big=st.booleans(),
)
def test_bayer_patterns(
    pattern: str, bits: int, size: tuple[int, int], padding: int, big: bool
) -> None:
    height, width = size
    step = width * bits // 8 + padding
    data = noise(height * step)
    if bits == 8:
        mosaic = [[data[r * step + c] for c in range(width)] for r in range(height)]
    else:
        high = 0 if big else 1
        mosaic = [[data[r * step + 2 * c + high] for c in range(width)] for r in range(height)]
    pixels = to_rgb(image(f"bayer_{pattern}{bits}", height, width, step, data, int(big)))
    assert_pixels(pixels, *size, lambda r, c: demosaiced(mosaic, pattern, r, c))


@pytest.mark.parametrize("size", [(1, 8), (8, 1), (1, 1)])
def test_bayer_needs_both_rows_of_its_pattern(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="2 x 2 pixels"):
        to_rgb(image("bayer_rggb8", *size, size[1], noise(8)))


# --- YUV -----------------------------------------------------------------------------------------


def yuv_pixel(y: int, u: int, v: int) -> Pixel:
    """BT.601, video range, as fixed-point numbers of 20 bits."""
    scale = 1 << 20
    luma = max(0, y - 16) * 1220542  # 1.164
    red = luma + 1673527 * (v - 128)  # 1.596
    green = luma - 852492 * (v - 128) - 409993 * (u - 128)  # 0.813, 0.391
    blue = luma + 2116026 * (u - 128)  # 2.018
    return tuple(min(255, max(0, (c + scale // 2) >> 20)) for c in (red, green, blue))


@pytest.mark.parametrize(
    ("encoding", "y_first"),
    [("yuv422", False), ("uyvy", False), ("yuv422_yuy2", True), ("yuyv", True)],
)
@settings(max_examples=40, deadline=None)
@given(size=st.tuples(st.integers(1, 7), st.integers(1, 40)), padding=st.integers(0, 5))
def test_yuv422(encoding: str, y_first: bool, size: tuple[int, int], padding: int) -> None:
    height, width = size
    step = 2 * width + padding
    data = noise(height * step)

    def pixel_at(row: int, column: int) -> Pixel:
        start = row * step
        pair = start + column // 2 * 4
        y = data[start + 2 * column + (0 if y_first else 1)]
        u_at, v_at = (pair + 1, pair + 3) if y_first else (pair, pair + 2)
        if column // 2 * 2 + 1 >= width and padding < 2:  # the second half of the pair is missing
            v = data[v_at - 4] if column > 0 else 128
        else:
            v = data[v_at]
        return yuv_pixel(y, data[u_at], v)

    assert_pixels(to_rgb(image(encoding, height, width, step, data)), *size, pixel_at)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 40)),
    padding=st.integers(0, 5),
    last_padding=st.booleans(),
)
def test_nv12_and_nv21(
    encoding: str, size: tuple[int, int], padding: int, last_padding: bool
) -> None:
    height, width = size
    step = width + padding
    chroma_rows = (height + 1) // 2
    data = noise((height + chroma_rows) * step)
    if not last_padding:
        data = data[: len(data) - (step - min(step, width + width % 2))]

    def pixel_at(row: int, column: int) -> Pixel:
        start = (height + row // 2) * step
        at = column // 2 * 2
        first = data[start + at]
        second_at = start + at + 1
        if at + 1 >= step:  # an odd row without padding
            second_at -= 2
        second = data[second_at] if second_at >= start else 128
        u, v = (first, second) if encoding == "nv12" else (second, first)
        return yuv_pixel(data[row * step + column], u, v)

    assert_pixels(to_rgb(image(encoding, height, width, step, data)), *size, pixel_at)


@settings(max_examples=25, deadline=None)
@given(size=st.tuples(st.integers(1, 7), st.integers(1, 20)), padding=st.integers(0, 5))
def test_nv24(size: tuple[int, int], padding: int) -> None:
    height, width = size
    step = width + padding
    data = noise(3 * height * step)

    def pixel_at(row: int, column: int) -> Pixel:
        pair = height * step + row * 2 * step + 2 * column
        return yuv_pixel(data[row * step + column], data[pair], data[pair + 1])

    assert_pixels(to_rgb(image("nv24", height, width, step, data)), *size, pixel_at)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_nv_height_may_count_the_chroma_rows(encoding: str) -> None:
    data = noise(12 * 10)
    expected = to_rgb(image(encoding, 8, 10, 10, data))
    assert np.array_equal(to_rgb(image(encoding, 12, 10, 10, data)), expected)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_nv_step_may_count_two_channels(encoding: str) -> None:
    data = noise(12 * 10)
    expected = to_rgb(image(encoding, 8, 10, 10, data))
    assert np.array_equal(to_rgb(image(encoding, 8, 10, 20, data)), expected)


# --- what cannot be converted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    [*PACKED, "bayer_rggb8", "bayer_gbrg16", "yuv422", "yuyv", "nv12", "nv21", "nv24"],
)
def test_data_cut_short_is_named(encoding: str) -> None:
    with pytest.raises(ImageError) as caught:
        to_rgb(image(encoding, 480, 640, 0, noise(1000)))
    text = str(caught.value)
    assert encoding in text
    assert "640 x 480" in text
    assert "1000 bytes" in text
    assert "step 0" in text
    assert "\n" not in text


@pytest.mark.parametrize(("height", "width"), [(0, 4), (4, 0), (0, 0)])
@pytest.mark.parametrize("encoding", ["rgb8", "bayer_rggb8", "uyvy", "nv12"])
def test_an_image_without_pixels(encoding: str, height: int, width: int) -> None:
    with pytest.raises(ImageError, match="no pixels"):
        to_rgb(image(encoding, height, width, 0, b"1234"))
    with pytest.raises(ImageError, match="no pixels"):
        to_rgb(image(encoding, 4, 4, 0, b""))


@pytest.mark.parametrize("encoding", ["rgb8", "mono16", "bayer_rggb8", "yuyv", "nv12"])
def test_a_step_below_the_row(encoding: str) -> None:
    with pytest.raises(ImageError, match="more than the step"):
        to_rgb(image(encoding, 2, 8, 5, noise(400)))


@pytest.mark.parametrize("encoding", ["32FC1", "16SC1", "64FC1"])
def test_depth_is_refused(encoding: str) -> None:
    with pytest.raises(ImageError, match="depth"):
        to_rgb(image(encoding, 2, 2, 0, noise(64)))


@pytest.mark.parametrize("encoding", ["", "yuv9", "bayer_rggb12", "bayer_rgrg8", "rgb8x"])
def test_an_unknown_encoding_is_named(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)  # as where it is not installed
    with pytest.raises(ImageError, match="is not known") as caught:
        to_rgb(image(encoding, 2, 2, 6, noise(12)))
    assert repr(encoding) in str(caught.value)


def test_cv_bridge_is_asked_about_unknown_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    class CvBridgeError(TypeError):
        pass

    class CvBridge:
        def imgmsg_to_cv2(self, message: Any, desired_encoding: str) -> NDArray[np.uint8]:
            assert desired_encoding == "rgb8"
            if message.encoding == "strange":
                return np.full((message.height, message.width, 3), 7, np.uint8)
            raise CvBridgeError("no")

    module = types.ModuleType("cv_bridge")
    monkeypatch.setattr(module, "CvBridge", CvBridge, raising=False)
    monkeypatch.setattr(module, "CvBridgeError", CvBridgeError, raising=False)
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert to_rgb(image("strange", 2, 3, 0, b"x")).tolist() == [[[7, 7, 7]] * 3] * 2
    with pytest.raises(ImageError, match="is not known"):
        to_rgb(image("stranger", 2, 3, 0, b"x"))


def test_what_is_not_an_image() -> None:
    with pytest.raises(ImageError, match="SimpleNamespace is not a camera image"):
        to_rgb(SimpleNamespace(data=b"123"))


# --- CompressedImage -----------------------------------------------------------------------------


def compressed(format_: str, data: bytes) -> SimpleNamespace:
    return SimpleNamespace(format=format_, data=array.array("B", data))


def encoded(extension: str, pixels: NDArray[Any], *parameters: int) -> bytes:
    done, data = cv2.imencode(extension, pixels, list(parameters))
    assert done
    return data.tobytes()


def picture(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A smooth RGB picture whose three channels differ clearly."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 255 // height, columns * 255 // width, (rows + columns) % 97]
    return np.stack(channels, axis=2).astype(np.uint8)


@pytest.mark.parametrize("format_", ["png", "bgr8; png compressed bgr8", "rgb8; png compressed "])
def test_png_is_exact(format_: str) -> None:
    rgb = picture(7, 5)
    pixels = to_rgb(compressed(format_, encoded(".png", rgb[:, :, ::-1])))
    assert_pixels(pixels, 7, 5, lambda r, c: tuple(int(v) for v in rgb[r, c]))


@pytest.mark.parametrize(
    "format_",
    [
        "jpeg",
        "jpg",
        "",
        "rgb8; jpeg compressed bgr8",
        "bgr8; jpeg compressed bgr8",
        "rgb8; jpeg compressed rgb8",
    ],
)
def test_jpeg_has_red_where_red_was(format_: str) -> None:
    rgb = picture()
    pixels = to_rgb(compressed(format_, encoded(".jpg", rgb[:, :, ::-1])))
    assert pixels.shape == rgb.shape
    assert np.abs(pixels.astype(int) - rgb).mean() < 6


def test_compressed_grey_and_16_bits_and_alpha() -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (5, 7), np.uint8)
    assert np.array_equal(
        to_rgb(compressed("mono8; png compressed ", encoded(".png", grey))), np.dstack([grey] * 3)
    )
    deep = rng.integers(0, 65536, (5, 7), np.uint16)
    assert np.array_equal(
        to_rgb(compressed("mono16; png compressed ", encoded(".png", deep))),
        np.dstack([(deep >> 8).astype(np.uint8)] * 3),
    )
    deep_bgr = rng.integers(0, 65536, (5, 7, 3), np.uint16)
    assert np.array_equal(
        to_rgb(compressed("png", encoded(".png", deep_bgr))),
        (deep_bgr[:, :, ::-1] >> 8).astype(np.uint8),
    )
    bgra = rng.integers(0, 256, (5, 7, 4), np.uint8)
    assert np.array_equal(to_rgb(compressed("png", encoded(".png", bgra))), bgra[:, :, 2::-1])
    grey_jpeg = to_rgb(compressed("jpeg", encoded(".jpg", np.full((8, 8), 90, np.uint8))))
    assert np.abs(grey_jpeg.astype(int) - 90).max() <= 1


def test_the_orientation_of_exif_is_ignored() -> None:
    plain = encoded(".jpg", picture()[:, :, ::-1])
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)  # Orientation: rotate by 90 degrees
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + struct.pack(">H", 1) + entry + b"\x00" * 4
    segment = b"Exif\x00\x00" + tiff
    turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    honoured = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert honoured.shape == (64, 48, 3)  # the segment is a real one
    assert np.array_equal(to_rgb(compressed("jpeg", turned)), to_rgb(compressed("jpeg", plain)))


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    ],
    ids=["baseline", "progressive", "restart markers"],
)
def test_a_jpeg_cut_anywhere_is_an_error(parameters: tuple[int, ...]) -> None:
    data = encoded(".jpg", picture(), *parameters)
    assert to_rgb(compressed("jpeg", data)).shape == (48, 64, 3)
    for length in range(len(data)):
        with pytest.raises(ImageError, match="jpeg"):
            to_rgb(compressed("jpeg", data[:length]))


def test_a_thumbnail_inside_does_not_hide_that_a_jpeg_is_cut() -> None:
    data = encoded(".jpg", picture())
    thumbnail = encoded(".jpg", picture(8, 8))
    segment = b"Exif\x00\x00" + thumbnail
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    assert to_rgb(compressed("jpeg", whole)).shape == (48, 64, 3)
    with pytest.raises(ImageError, match="cut short"):
        to_rgb(compressed("jpeg", whole[: -len(data) // 3]))


def test_a_jpeg_may_be_padded() -> None:
    data = encoded(".jpg", picture())
    assert np.array_equal(
        to_rgb(compressed("jpeg", data + b"\x00" * 513)), to_rgb(compressed("jpeg", data))
    )


def test_a_png_cut_or_changed_anywhere_is_an_error() -> None:
    data = encoded(".png", picture(9, 11))
    for length in range(len(data)):
        with pytest.raises(ImageError, match="png"):
            to_rgb(compressed("png", data[:length]))
    for position in range(8, len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x41
        with pytest.raises(ImageError, match="png"):
            to_rgb(compressed("png", bytes(changed)))


def test_a_png_with_right_checksums_and_wrong_pixels_is_an_error() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    broken = zlib.compress(noise(40))  # 8 rows of 25 bytes are needed
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", broken)
    with pytest.raises(ImageError, match="cannot be decoded"):
        to_rgb(compressed("png", data + chunk(b"IEND", b"")))


@pytest.mark.parametrize(
    "format_", ["16UC1; compressedDepth", "32FC1; compressedDepth png", "16UC1; compresseddepth"]
)
def test_compressed_depth_is_refused(format_: str) -> None:
    data = b"\x00" * 12 + encoded(".png", np.zeros((4, 4), np.uint16))
    with pytest.raises(ImageError, match="depth, not a picture"):
        to_rgb(compressed(format_, data))


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", noise(300)])
def test_what_is_no_picture_is_an_error(data: bytes) -> None:
    with pytest.raises(ImageError, match=f"'jpeg', {len(data)} bytes"):
        to_rgb(compressed("jpeg", data))


# --- real messages -------------------------------------------------------------------------------


def test_messages_of_rosbags() -> None:
    rgb = picture(6, 5)
    for ros1 in (False, True):
        make = Messages(ros1)
        assert np.array_equal(to_rgb(make.image(1, rgb, "bgr8")), rgb)
        assert np.array_equal(to_rgb(make.compressed_image(1, rgb, "png")), rgb)


@pytest.mark.ros
def test_messages_of_rclpy() -> None:
    messages = pytest.importorskip("sensor_msgs.msg")
    pytest.importorskip("rclpy")
    from rclpy.serialization import deserialize_message, serialize_message

    rgb = picture(6, 5)
    sent = messages.Image(height=6, width=5, encoding="bgr8", step=16)
    rows = np.zeros((6, 16), np.uint8)
    rows[:, :15] = rgb[:, :, ::-1].reshape(6, 15)
    sent.data = rows.tobytes()
    received = deserialize_message(serialize_message(sent), messages.Image)
    assert np.array_equal(to_rgb(received), rgb)

    packed = messages.CompressedImage(format="png")
    packed.data = encoded(".png", rgb[:, :, ::-1])
    received = deserialize_message(serialize_message(packed), messages.CompressedImage)
    assert np.array_equal(to_rgb(received), rgb)
