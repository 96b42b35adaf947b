"""The colour of each segment, the same wherever a map is drawn."""

from __future__ import annotations

import colorsys

# Told apart on white and on black; without the green and the red of right and wrong answers.
_FIRST = (
    (0x1F, 0x7A, 0xD6), (0xE0, 0x6C, 0x00), (0x8C, 0x63, 0xE0), (0x12, 0x9A, 0xB5),
    (0xC2, 0x3B, 0x8F), (0xA8, 0x84, 0x00), (0x7C, 0x86, 0x94), (0xA0, 0x5A, 0x2C),
)  # fmt: skip
_GOLDEN = 0.381966  # of a turn: no hue comes near one of the last few


def segment_colour(number: int) -> tuple[int, int, int]:
    """Return red, green and blue (0 to 255) of the segment with this number in its map."""
    if number < len(_FIRST):
        return _FIRST[number]
    lightness = 0.38 if number % 2 else 0.6  # hues alone run out
    red, green, blue = colorsys.hls_to_rgb((number * _GOLDEN) % 1.0, lightness, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)
