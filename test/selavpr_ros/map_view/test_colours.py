from __future__ import annotations

import colorsys
import re
from itertools import combinations
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_ros.map_view.colours import segment_colour

MANY = 60


def hue(number: int) -> float:
    red, green, blue = (channel / 255 for channel in segment_colour(number))
    return colorsys.rgb_to_hls(red, green, blue)[0]


def apart(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_every_segment_has_a_colour_that_is_neither_white_nor_black(number: int) -> None:
    colour = segment_colour(number)
    assert all(isinstance(channel, int) and 0 <= channel <= 255 for channel in colour)
    assert 45 < 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 205
    assert segment_colour(number) == colour


def test_the_first_colours_stand_out_from_the_paper_of_day_and_night() -> None:
    """The contrast of 3 : 1 that WCAG 2.1 asks of graphics."""

    def luminance(colour: tuple[int, ...]) -> float:
        linear = [
            c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    white, night = luminance((255, 255, 255)), luminance((0x14, 0x17, 0x1B))
    for number in range(8):
        shown = luminance(segment_colour(number))
        assert (white + 0.05) / (shown + 0.05) >= 3
        assert (shown + 0.05) / (night + 0.05) >= 3


def test_no_two_of_many_segments_look_the_same() -> None:
    colours = [segment_colour(number) for number in range(MANY)]
    assert min(apart(*pair) for pair in combinations(colours[:8], 2)) > 60
    assert len(set(colours)) == MANY


def test_segments_that_follow_each_other_differ_in_hue() -> None:
    for number in range(8, MANY):
        for before in range(max(8, number - 3), number):
            turn = abs(hue(number) - hue(before))
            assert min(turn, 1 - turn) > 0.1


def test_the_first_colours_are_not_those_of_right_and_wrong_answers(project: Path) -> None:
    style = (project / "selavpr_ros" / "map_view" / "page.css").read_text()
    meaning = re.findall(r"--(?:right|wrong): #([0-9a-f]{6})", style)
    assert len(meaning) == 4  # in daylight and at night
    for text in meaning:
        colour = tuple(bytes.fromhex(text))
        assert min(apart(colour, segment_colour(number)) for number in range(8)) > 60
