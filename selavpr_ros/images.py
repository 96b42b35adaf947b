"""Camera messages to RGB pixels: one converter for messages of rclpy and of recorded bags.

Messages are taken as they come from either: only their fields are read, so this module needs no
ROS. The rules that are not the standard's own:

- Samples of 16 bits become 8 bits by their high byte; Bayer patterns of 16 bits before demosaicing.
- `8UC3` and `8UC4` name no colours; they are read in OpenCV's order, B G R (A). Alpha is dropped.
- YUV is BT.601 with video range, as OpenCV converts it; chroma is not interpolated.
- The last row may lack its padding, and a step of 0 means rows without padding.
- A JPEG or PNG says itself which colours it has: "rgb8; jpeg compressed rgb8" is read like any
  other. (Years ago image_transport wrote that where it had swapped red and blue; today's
  publishers write it for ordinary pictures.)
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_ros.errors import ImageError

Bytes = NDArray[np.uint8]

# Encoding (lower case) -> channels, bytes a sample, OpenCV's conversion (None: RGB already).
_PACKED: dict[str, tuple[int, int, int | None]] = {
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (1, 2, cv2.COLOR_GRAY2RGB),
    "rgb8": (3, 1, None),
    "rgb16": (3, 2, None),
    "bgr8": (3, 1, cv2.COLOR_BGR2RGB),
    "bgr16": (3, 2, cv2.COLOR_BGR2RGB),
    "rgba8": (4, 1, cv2.COLOR_RGBA2RGB),
    "rgba16": (4, 2, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, 1, cv2.COLOR_BGRA2RGB),
    "bgra16": (4, 2, cv2.COLOR_BGRA2RGB),
    "8uc1": (1, 1, cv2.COLOR_GRAY2RGB),
    "8uc3": (3, 1, cv2.COLOR_BGR2RGB),
    "8uc4": (4, 1, cv2.COLOR_BGRA2RGB),
    "16uc1": (1, 2, cv2.COLOR_GRAY2RGB),
    "16uc3": (3, 2, cv2.COLOR_BGR2RGB),
    "16uc4": (4, 2, cv2.COLOR_BGRA2RGB),
}

# ROS names a pattern by the first two pixels of the first two rows, OpenCV's older names by the
# second and third pixel of the second and third row: "rggb" here is "BG" there.
_BAYER: dict[str, int] = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}

_YUV422: dict[str, int] = {
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
}

_NV: dict[str, int] = {
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
    "nv24": cv2.COLOR_YUV2RGB_NV12,
}

_DEPTH = {"32fc1", "64fc1", "16sc1", "32sc1"}

_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# What may follow 0xFF within a scan of a JPEG: a stuffed zero, a restart marker, fill bytes.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def to_rgb(message: Any) -> Bytes:
    """RGB pixels `[H, W, 3]` uint8, contiguous and writable, of a camera message.

    Args:
        message: a sensor_msgs Image (anything with `encoding`) or CompressedImage (with
            `format`), as rclpy or rosbags hand it out. It is not kept and not changed: the
            pixels never share memory with it.

    Raises:
        ImageError: the image is empty, cut short, damaged, a depth image or in an unknown
            encoding; the error names encoding, size, step and number of bytes.
    """
    if hasattr(message, "encoding"):
        return _raw_to_rgb(message)
    if hasattr(message, "format"):
        return _compressed_to_rgb(message)
    raise ImageError(
        f"{type(message).__name__} is not a camera image; choose a topic of type "
        "sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage"
    )


def _raw_to_rgb(message: Any) -> Bytes:
    encoding = message.encoding.strip().lower()
    if message.height <= 0 or message.width <= 0 or len(message.data) == 0:
        raise ImageError(f"{_described(message)}: there are no pixels in it")
    if encoding in _PACKED:
        return _packed_to_rgb(message, *_PACKED[encoding])
    if encoding[:-1] in _BAYER and encoding.endswith("8"):
        return _bayer_to_rgb(message, _BAYER[encoding[:-1]], sample_bytes=1)
    if encoding[:-2] in _BAYER and encoding.endswith("16"):
        return _bayer_to_rgb(message, _BAYER[encoding[:-2]], sample_bytes=2)
    if encoding in _YUV422:
        return _yuv422_to_rgb(message, _YUV422[encoding])
    if encoding in _NV:
        return _nv_to_rgb(message, _NV[encoding], subsampled=encoding != "nv24")
    if encoding in _DEPTH:
        raise ImageError(
            f"{_described(message)}: this holds depth, not a picture; choose the colour or "
            "grey topic of the camera"
        )
    return _by_cv_bridge(message)


def _packed_to_rgb(message: Any, channels: int, sample_bytes: int, code: int | None) -> Bytes:
    row_bytes = message.width * channels * sample_bytes
    rows = _rows(message, message.height, row_bytes, _step(message, row_bytes))
    pixels = _high_bytes(message, rows, sample_bytes)
    pixels = pixels.reshape(message.height, message.width, channels)
    return pixels.copy() if code is None else _converted(pixels, code)


def _bayer_to_rgb(message: Any, code: int, sample_bytes: int) -> Bytes:
    height, width = message.height, message.width
    if height < 2 or width < 2:
        raise ImageError(f"{_described(message)}: a Bayer pattern needs 2 x 2 pixels at least")
    row_bytes = width * sample_bytes
    rows = _rows(message, height, row_bytes, _step(message, row_bytes))
    mosaic = _high_bytes(message, rows, sample_bytes)
    # Mirrored without repeating the edge, the border continues the pattern. OpenCV itself copies
    # the second row and column to the edge instead, and leaves images under 3 pixels black.
    mosaic = np.asarray(cv2.copyMakeBorder(mosaic, 2, 2, 2, 2, cv2.BORDER_REFLECT_101), np.uint8)
    return _converted(mosaic, code)[2:-2, 2:-2].copy()


def _yuv422_to_rgb(message: Any, code: int) -> Bytes:
    height, width = message.height, message.width
    step = _step(message, 2 * width)
    # A pair of pixels shares its chroma. Of an odd row's last pair the second half may be there,
    # in the padding, or not.
    row_bytes = 2 * width
    whole = 2 * (width + width % 2)
    if width % 2 and step >= whole and len(message.data) >= (height - 1) * step + whole:
        row_bytes = whole
    rows = _rows(message, height, row_bytes, step)
    if row_bytes < whole:
        luma = 1 if code == cv2.COLOR_YUV2RGB_UYVY else 0
        second_chroma = rows[:, row_bytes - 3 - luma] if width > 1 else np.uint8(128)
        pair_end = np.empty((height, 2), np.uint8)
        pair_end[:, luma] = rows[:, row_bytes - 2 + luma]
        pair_end[:, 1 - luma] = second_chroma
        rows = np.hstack([rows, pair_end])
    return _without_last(_converted(rows.reshape(height, -1, 2), code), height, width)


def _nv_to_rgb(message: Any, code: int, subsampled: bool) -> Bytes:
    width = message.width
    height, step = _nv_layout(message, subsampled)
    chroma_rows, chroma_bytes = (
        ((height + 1) // 2, width + width % 2) if subsampled else (height, 2 * width)
    )
    chroma_step = step if subsampled else 2 * step
    luma = _rows(message, height, width, step)
    if chroma_bytes <= chroma_step:
        chroma = _rows(message, chroma_rows, chroma_bytes, chroma_step, start=height * step)
    else:
        # An odd width without padding: the last pair lacks its second half, its neighbour's serves.
        cut = _rows(message, chroma_rows, width, step, start=height * step)
        second = cut[:, -2:-1] if width > 1 else np.full((chroma_rows, 1), 128, np.uint8)
        chroma = np.hstack([cut, second])
    chroma = chroma.reshape(chroma_rows, -1, 2)
    if not subsampled:
        # OpenCV converts 4:2:0 alone: make each pixel four, convert, and take one of each four.
        luma = np.repeat(np.repeat(luma, 2, axis=0), 2, axis=1)
        return np.asarray(cv2.cvtColorTwoPlane(luma, chroma, code), np.uint8)[::2, ::2].copy()
    luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")
    pixels = np.asarray(cv2.cvtColorTwoPlane(luma, chroma, code), np.uint8)
    return _without_last(pixels, height, width)


def _nv_layout(message: Any, subsampled: bool) -> tuple[int, int]:
    """(image height, bytes of a row of luma): drivers disagree on what the two fields mean here.

    `height` is the image's, or counts the rows of chroma below it too. `step` is the bytes of a
    row of luma, or twice that, because sensor_msgs once counted these encodings as two channels.
    """
    height, width, size = message.height, message.width, len(message.data)

    def needed(rows: int, stride: int) -> int:
        return stride * (rows + (rows + 1) // 2 if subsampled else 3 * rows)

    step = _step(message, width)
    padding = step - min(step, width + width % 2) if subsampled else 2 * (step - width)
    if size >= needed(height, step) - padding:
        return height, step
    if size == needed(height, width):
        return height, width
    rows, rest = divmod(2 * height if subsampled else height, 3)
    if rest == 0 and size == needed(rows, step):
        return rows, step
    raise ImageError(f"{_described(message)}: {needed(height, step)} bytes are needed")


def _without_last(pixels: Bytes, height: int, width: int) -> Bytes:
    """`pixels` cut to an odd size that was made even for the conversion."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return pixels[:height, :width].copy()


def _converted(pixels: Bytes, code: int) -> Bytes:
    return np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _high_bytes(message: Any, rows: Bytes, sample_bytes: int) -> Bytes:
    if sample_bytes == 1:
        return rows
    return np.ascontiguousarray(rows[:, 0 if message.is_bigendian else 1 :: 2])


def _step(message: Any, row_bytes: int) -> int:
    """Bytes from one row to the next."""
    if message.step == 0:
        return row_bytes
    if message.step < row_bytes:
        raise ImageError(
            f"{_described(message)}: a row needs {row_bytes} bytes, more than the step"
        )
    return int(message.step)


def _rows(message: Any, rows: int, row_bytes: int, step: int, start: int = 0) -> Bytes:
    """A view `[rows, row_bytes]` of the data; the padding after the last row may be missing."""
    needed = start + (rows - 1) * step + row_bytes
    if len(message.data) < needed:
        raise ImageError(f"{_described(message)}: at least {needed} bytes are needed")
    data = np.frombuffer(message.data, np.uint8, needed - start, start)
    return np.lib.stride_tricks.as_strided(data, (rows, row_bytes), (step, 1))


def _described(message: Any) -> str:
    return (
        f"image of encoding {message.encoding!r}, {message.width} x {message.height}, "
        f"step {message.step}, {len(message.data)} bytes"
    )


def _by_cv_bridge(message: Any) -> Bytes:
    """What the distribution's cv_bridge makes of an encoding that this module does not know."""
    problem = ImageError(
        f"{_described(message)}: the encoding is not known; have the camera driver publish rgb8, "
        "bgr8 or mono8"
    )
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except (ImportError, AttributeError):
        # Not installed, or built for another NumPy.
        raise problem from None
    try:
        pixels = CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8")
    except (CvBridgeError, cv2.error, TypeError, ValueError, RuntimeError) as error:
        raise problem from error
    return np.array(pixels, np.uint8)


def _compressed_to_rgb(message: Any) -> Bytes:
    data = bytes(message.data)
    name = f"compressed image of format {message.format!r}, {len(data)} bytes"
    if "compresseddepth" in message.format.lower():
        raise ImageError(
            f"{name}: this holds depth, not a picture; choose the colour or grey topic of the "
            "camera"
        )
    if not data:
        raise ImageError(f"{name}: there is nothing in it")
    whole: Callable[[bytes], bool] | None = None
    if data.startswith(_JPEG_MAGIC):
        whole = _is_whole_jpeg
    elif data.startswith(_PNG_MAGIC):
        whole = _is_whole_png
    # OpenCV fills what is missing with grey, and says nothing.
    if whole is not None and not whole(data):
        raise ImageError(f"{name}: the data is damaged or cut short")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f"{name}: cannot be decoded (JPEG and PNG can be read)")
    if pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8, dtype=np.uint16).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ImageError(f"{name}: holds {pixels.dtype} samples, 8 or 16 bits are needed")
    return _converted(np.asarray(pixels, np.uint8), cv2.COLOR_BGR2RGB)


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the markers lead from the start of the image through its scans to its end."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + length
        if marker == 0xDA:
            found = _JPEG_MARKER.search(data, position)
            if found is None:
                return False
            position = found.start()
            if data[position + 1] == 0xD9:
                return True
    return False


def _is_whole_png(data: bytes) -> bool:
    """Whether all chunks up to the end of the image are there, each with its checksum."""
    position = len(_PNG_MAGIC)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            return False
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[position + 4 : end]) != checksum:
            return False
        if kind == b"IEND":
            return True
        position = end + 4
    return False
