"""The colour of each segment, the same wherever a map is drawn."""

from __future__ import annotations

import colorsys

# Told apart on white and on black, by colour-blind people too as far as eight colours can.
_FIRST = (
    (0x1F, 0x7A, 0xD6), (0xE0, 0x6C, 0x00), (0x17, 0x9B, 0x6B), (0xC2, 0x3B, 0x8F),
    (0x8C, 0x63, 0xE0), (0xB0, 0x89, 0x00), (0x12, 0x9A, 0xB5), (0xD6, 0x4A, 0x3D),
)  # fmt: skip
_GOLDEN = 0.381966  # of a turn: no hue comes near one of the last few


def segment_colour(number: int) -> tuple[int, int, int]:
    """Return red, green and blue (0 to 255) of the segment with this number in its map."""
    if number < len(_FIRST):
        return _FIRST[number]
    red, green, blue = colorsys.hls_to_rgb((number * _GOLDEN) % 1.0, 0.47, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)
