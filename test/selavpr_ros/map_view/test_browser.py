"""The page in a real browser: Chromium, headless and without a network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_ros.map_view import Drive, write_page
from test.chromium import Browser
from test.selavpr_core.place_map.maps import LUND, MODEL, places
from test.selavpr_ros.map_view.conftest import picture

SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# Where a place is drawn, in pixels of the window.
AT = """(() => {{ const box = document.getElementById('marks').getBoundingClientRect();
  const [x, y] = mapView.screen({x}, {y}); return [box.left + x, box.top + y]; }})()"""


def opened(browser: Browser, page: Path, width: int = 1280, scheme: str = "light") -> None:
    browser.open(page, width, scheme)
    browser.evaluate(SETTLED)


def mouse(browser: Browser, kind: str, x: float, y: float, **more: Any) -> None:
    browser("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
    browser.evaluate(SETTLED)


def point_at(browser: Browser, which: str) -> tuple[float, float]:
    """Move the mouse to "places[3]" or "drive[3]" and return where that is."""
    of, number = which[:-1].split("[")
    x, y = (f"mapView.data.{of}.{axis}[{number}]" for axis in "xy")
    at: list[float] = browser.evaluate(AT.format(x=x, y=y))
    mouse(browser, "mouseMoved", *at)
    return at[0], at[1]


def hover_text(browser: Browser) -> str | None:
    text: str | None = browser.evaluate(
        "document.getElementById('hover').hidden ? null : "
        "document.getElementById('hover').innerText"
    )
    return text


def pixels(browser: Browser) -> list[str]:
    """The colours of the plot that are not grey, the most frequent first."""
    found: list[str] = browser.evaluate(
        """(() => { const c = document.getElementById('base');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, n = new Map();
        for (let i = 0; i < d.length; i += 4) {
          if (d[i + 3] < 250 || Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]) < 40) continue;
          const k = '#' + [d[i], d[i+1], d[i+2]].map(v => v.toString(16).padStart(2, '0')).join('');
          n.set(k, (n.get(k) || 0) + 1); }
        return [...n].sort((a, b) => b[1] - a[1]).map(([k]) => k); })()"""  # noqa: E501
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_opens_alone_and_fits_the_window(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    opened(browser, page, width, scheme)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1280:
        assert browser.evaluate("document.documentElement.scrollHeight") <= 900
    plot = browser.evaluate("[plot.clientWidth, plot.clientHeight]")
    assert plot[0] > 0.85 * min(width, 800)
    assert plot[1] > 300
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_sessions_are_drawn_in_their_colours_until_they_are_hidden(
    browser: Browser, plain_page: Path
) -> None:
    opened(browser, plain_page)
    colours = browser.evaluate("mapView.data.segments.map(s => s.colour)")
    assert set(pixels(browser)[:2]) == set(colours)
    browser.evaluate("document.querySelectorAll('#sessions input')[0].click()")
    browser.evaluate(SETTLED)
    assert colours[0] not in pixels(browser)
    assert pixels(browser)[0] == colours[1]
    # Nor is what is hidden under the pointer.
    point_at(browser, "places[20]")
    assert "north" not in (hover_text(browser) or "")


def test_places_keep_their_proportions(browser: Browser, plain_page: Path) -> None:
    opened(browser, plain_page)
    a, b, c = (
        np.array(browser.evaluate(AT.format(x=x, y=y))) for x, y in ((0, 0), (10, 0), (0, 10))
    )
    assert b[0] - a[0] == pytest.approx(a[1] - c[1])  # y goes up
    assert b[1] == pytest.approx(a[1])
    assert c[0] == pytest.approx(a[0])


def test_a_place_under_the_pointer_shows_its_picture(
    browser: Browser, plain_page: Path, place_map: PlaceMap
) -> None:
    opened(browser, plain_page)
    assert hover_text(browser) is None
    point_at(browser, "places[25]")
    text = hover_text(browser)
    assert text is not None
    assert "place 25, north" in text
    assert "2023-11-14 22:13:45 UTC" in text
    x, y, _ = place_map.positions[25]
    assert f"{x:.1f}, {y:.1f} m" in text
    assert f"{math.degrees(place_map.headings[25]):.0f}° from east" in text
    size = browser.evaluate(
        "document.querySelector('#hover img').decode().then(() => "
        "['naturalWidth', 'naturalHeight'].map(k => document.querySelector('#hover img')[k]))"
    )
    assert size == [64, 48]
    mouse(browser, "mouseMoved", 2, 2)
    assert hover_text(browser) is None


def test_a_click_keeps_a_place_and_arrows_go_on(browser: Browser, plain_page: Path) -> None:
    opened(browser, plain_page)
    chosen = "document.getElementById('chosen').innerText"
    assert "Point at a place" in browser.evaluate(chosen)
    x, y = point_at(browser, "places[25]")
    for kind in ("mousePressed", "mouseReleased"):
        mouse(browser, kind, x, y, button="left", clickCount=1)
    mouse(browser, "mouseMoved", 2, 2)
    assert "place 25, north" in browser.evaluate(chosen)
    assert "latitude" in browser.evaluate(chosen)
    for key, place in (("ArrowRight", 26), ("ArrowRight", 27), ("ArrowLeft", 26)):
        browser("Input.dispatchKeyEvent", type="keyDown", key=key)
        assert f"place {place}, north" in browser.evaluate(chosen)
    browser("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert "Point at a place" in browser.evaluate(chosen)


def test_dragging_moves_and_the_wheel_zooms_about_the_pointer(
    browser: Browser, plain_page: Path
) -> None:
    opened(browser, plain_page)
    place = "places[10]"
    x, y = point_at(browser, place)
    scale = browser.evaluate("mapView.view.scale")
    mouse(browser, "mouseWheel", x, y, deltaX=0, deltaY=-200)
    assert browser.evaluate("mapView.view.scale") > 1.2 * scale
    assert point_at(browser, place) == pytest.approx((x, y), abs=0.6)
    mouse(browser, "mousePressed", x, y, button="left", clickCount=1)
    mouse(browser, "mouseMoved", x + 70, y + 30, button="left", buttons=1)
    mouse(browser, "mouseReleased", x + 70, y + 30, button="left", clickCount=1)
    assert point_at(browser, place) == pytest.approx((x + 70, y + 30), abs=0.6)
    assert browser.evaluate("mapView.chosen") is None  # a drag is no click
    browser.evaluate("document.getElementById('fit').click()")
    browser.evaluate(SETTLED)
    assert browser.evaluate("mapView.view.scale") == pytest.approx(scale)


def test_a_query_is_shown_beside_its_match(
    browser: Browser, page: Path, answered: Drive, place_map: PlaceMap
) -> None:
    opened(browser, page)
    for query in (10, 13):
        point_at(browser, f"drive[{query}]")
        text = hover_text(browser)
        assert text is not None
        place = int(answered.best[query])
        assert f"query {query}" in text
        assert f"place {place}, north" in text
        assert f"{answered.matches[query][0].similarity:.3f}" in text
        assert f"{answered.matches[query][0].hamming} of 64 bits" in text
        assert f"{answered.errors(place_map)[query]:.1f} m" in text
        # The one that is 58 m off is wrong, whatever the similarity.
        assert ("wrong" in text) == (query == 10)
        assert browser.evaluate("document.querySelectorAll('#hover img').length") == 2


def test_the_figures_follow_the_sliders(
    browser: Browser, page: Path, answered: Drive, place_map: PlaceMap
) -> None:
    opened(browser, page)
    tiles = "[...document.querySelectorAll('#tiles b')].map(b => b.textContent)"
    errors = answered.errors(place_map)
    # As the page has them, so that 1.0 is 1.0.
    similarities = np.round([matches[0].similarity for matches in answered.matches], 4)

    def expected(threshold: float, radius: float) -> list[str]:
        sure = similarities >= threshold
        right = sure & (errors <= radius)
        return [
            f"{sure.sum()} of 30",
            f"{100 * right.sum() / sure.sum():.1f} %",
            f"{100 * right.sum() / 30:.1f} %",
            f"{np.median(errors[sure]):.1f} m",
        ]

    assert browser.evaluate(tiles)[:4] == expected(0.5, 25)
    for slider, value, figures in (
        ("radius", 40, expected(0.5, 40)),
        ("threshold", 1.0, expected(1.0, 40)),
        ("threshold", -0.5, expected(-0.5, 40)),
    ):
        browser.evaluate(
            f"(() => {{ const s = document.getElementById('{slider}'); s.value = {value};"
            " s.dispatchEvent(new Event('input')); })()"
        )
        browser.evaluate(SETTLED)
        assert browser.evaluate(tiles)[:4] == figures


def test_the_charts_are_drawn_and_answer_the_pointer(browser: Browser, page: Path) -> None:
    opened(browser, page)
    for chart in ("similarities", "errors"):
        left, top, width, height = browser.evaluate(
            f"(b => [b.left, b.top, b.width, b.height])(document.getElementById('{chart}')"
            ".getBoundingClientRect())"
        )
        assert width > 300
        mouse(browser, "mouseMoved", left + 46, top + height / 2)
        assert browser.evaluate("mapView.hovered") == {"kind": "query", "i": 0}
        x, y = left + width - 10, top + height / 2
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            mouse(browser, kind, x, y, button="left", clickCount=1)
        assert browser.evaluate("mapView.chosen") == {"kind": "query", "i": 29}
        drawn = browser.evaluate(
            f"(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
            f".filter((v, i) => i % 4 == 3 && v).length)(document.getElementById('{chart}'))"
        )
        assert drawn > 1000


def test_a_page_of_ten_thousand_places_is_quick_and_not_too_large(
    browser: Browser, tmp_path: Path
) -> None:
    count, sessions = 1000, 10
    contents = places(count, 0)
    rng = np.random.default_rng(0)
    along = np.linspace(0, 20, count)
    with MapWriter(tmp_path / "map", MODEL, LUND) as writer:
        for session in range(sessions):
            contents["positions"] = 300 * np.stack(
                [np.cos(along + session), np.sin(1.3 * along), 0 * along], axis=1
            )
            contents["thumbnails"] = [picture(int(n)) for n in rng.integers(0, 60, count)]
            with writer.segment(f"drive{session}", "test") as segment:
                segment.add(**contents)
    page = tmp_path / "page.html"
    write_page(page, PlaceMap.load(tmp_path / "map"))
    opened(browser, page)
    assert browser.complaints() == []
    assert browser.evaluate("mapView.data.places.x.length") == 10_000
    draw, find = browser.evaluate(
        """(() => { const t = performance.now(); for (let i = 0; i < 5; i++) mapView.draw();
        const u = performance.now(); for (let i = 0; i < 50; i++) mapView.nearest(8 * i, 300);
        return [(u - t) / 5, (performance.now() - u) / 50]; })()"""
    )
    assert draw < 1000  # 10 ms where nothing else runs; a busy machine must not fail it
    assert find < 100
    point_at(browser, "places[7777]")
    assert "drive7" in (hover_text(browser) or "")
