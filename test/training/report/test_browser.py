"""The page in a real browser: Chromium, headless and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from test.chromium import Browser
from training.evaluation.result import EvaluationResult

# Contrast (WCAG 2) of every text with what lies behind it; the smallest first.
CONTRASTS = """(() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = channels(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || parent.tagName === 'title') continue;
    const style = getComputedStyle(parent);
    const ink = channels(parent instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(parent))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), node.textContent.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
})()"""
# What sticks out to the right of the window, unless something around it scrolls.
OVERFLOWING = """[...document.body.querySelectorAll('*')].filter(e => !e.closest('.scroll') &&
  !(e instanceof SVGElement && e.tagName !== 'svg') &&
  e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_opens_alone_and_fits_the_window(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    browser.open(page, width, scheme)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOWING) == []


def test_a_page_that_complains_asks_for_more_or_is_too_wide_would_be_noticed(
    browser: Browser, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        '<meta name="viewport" content="width=device-width"><div style="width:900px">wide</div>'
        '<img src="other.png"><p style="color:#ddd;background:#fff">pale</p>'
        "<script>console.error('broken')</script>"
    )
    browser.open(broken, 1280)
    assert any("broken" in complaint for complaint in browser.complaints())
    assert (tmp_path / "other.png").resolve().as_uri() in browser.requests()
    assert browser.evaluate(CONTRASTS)[0][0] < 1.5
    browser.evaluate("document.body.style.width = '1500px'")
    assert browser.evaluate(OVERFLOWING)


def test_every_image_is_decoded(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    images = browser.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => "
        "[i.naturalWidth, i.naturalHeight, i.width, i.height])))"
    )
    # 5 queries with 3 matches and the right place, one of them unreadable; 5 rows of 4 maps.
    assert len(images) == 5 * 5 - 1 + 5 * 4
    for natural_width, natural_height, width, height in images:
        assert min(natural_width, natural_height, width, height) > 0
        assert width / height == pytest.approx(natural_width / natural_height, rel=0.1)


def test_curves_have_a_line_and_markers_for_each_mode(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    drawings = browser.evaluate(
        """[...document.querySelectorAll('.charts svg')].map(svg => ({
          lines: [...svg.querySelectorAll('.line')].map(line => {
            const box = line.getBoundingClientRect();
            return [line.getTotalLength(), box.width, box.height,
                    getComputedStyle(line).stroke, getComputedStyle(line).strokeDasharray]; }),
          markers: svg.querySelectorAll('.marker').length,
          titles: [...svg.querySelectorAll('title')].map(t => t.textContent) }))"""
    )
    assert len(drawings) == 2
    for drawing in drawings:
        assert len(drawing["lines"]) == 3
        for length, width, height, stroke, _ in drawing["lines"]:
            assert length > 50
            assert width > 50
            assert height > 10
            assert stroke != "none"
        assert len({line[3] for line in drawing["lines"]}) == 3, "colours"
        assert len({line[4] for line in drawing["lines"]}) == 3, "dashes"
    assert drawings[0]["markers"] == 9  # three modes, three N
    assert "Two-stage, 100 candidates: R@1 58.33 %" in drawings[0]["titles"]
    assert any("at 100 % precision" in title for title in drawings[1]["titles"])


def test_recall_is_drawn_where_its_axis_says(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    shown = browser.evaluate(
        """(() => {
          const svg = document.querySelector('.charts svg');
          const at = e => { const b = e.getBoundingClientRect();
                            return [(b.left + b.right) / 2, (b.top + b.bottom) / 2]; };
          const tick = text => at([...svg.querySelectorAll('.tick')]
            .find(t => t.textContent === text));
          return {zero: tick('50 %')[1], whole: tick('100 %')[1], one: tick('1')[0],
                  ten: tick('10')[0], marker: at(svg.querySelector('.marker.series-0'))};
        })()"""
    )
    # The first marker of the first mode: R@1 of 7 / 12.
    height = (shown["zero"] - shown["marker"][1]) / (shown["zero"] - shown["whole"])
    assert 0.5 + 0.5 * height == pytest.approx(7 / 12, abs=0.01)
    assert shown["marker"][0] == pytest.approx(shown["one"], abs=2)
    assert shown["ten"] > shown["one"] + 100


def test_the_browser_shows_the_figures_of_the_result(
    browser: Browser, page: Path, result: EvaluationResult
) -> None:
    browser.open(page, 1280)
    rows: list[list[str]] = browser.evaluate(
        "[...document.querySelector('table').tBodies[0].rows].map(r => "
        "[...r.cells].map(c => c.innerText.replace(/\\s+/g, ' ').trim()))"
    )
    for row, mode in zip(rows, result.modes.values(), strict=True):
        assert row[1:4] == [f"{100 * mode.recalls[n]:.1f} %" for n in (1, 5, 10)]
        assert row[4] == f"{100 * mode.curve.area:.1f} %"


def test_tracks_keep_their_proportions(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    tracks = browser.evaluate(
        """(() => {
          const svg = document.querySelector('svg.tracks');
          const box = e => { const b = e.getBBox(); return [b.width, b.height]; };
          return {places: box(svg.querySelector('.places')),
                  bar: box(svg.querySelector('.scale-bar')),
                  words: [...svg.querySelectorAll('text')].map(t => t.textContent),
                  right: svg.querySelectorAll('circle.query.right').length,
                  wrong: [...svg.querySelectorAll('path.query.wrong')].map(box),
                  lines: svg.querySelectorAll('.match').length}; })()"""
    )
    # The street goes 90 m east, then 55 m north.
    width, height = tracks["places"]
    assert width / height == pytest.approx(90 / 55, rel=0.01)
    metres = float(tracks["words"][0].removesuffix(" m"))
    assert tracks["bar"][0] / width == pytest.approx(metres / 90, rel=0.01)
    assert (tracks["right"], len(tracks["wrong"]), tracks["lines"]) == (7, 5, 12)
    assert all(min(cross) > 4 for cross in tracks["wrong"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_lies_behind_it(
    browser: Browser, page: Path, scheme: str
) -> None:
    browser.open(page, 1280, scheme)
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    contrasts: list[tuple[float, str]] = browser.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert contrasts[0][0] >= 4.5, contrasts[:5]


def test_marks_of_right_and_wrong_stand_out_in_both_schemes(browser: Browser, page: Path) -> None:
    colours: dict[str, Any] = {}
    for scheme in ("light", "dark"):
        browser.open(page, 1280, scheme)
        colours[scheme] = browser.evaluate(
            "['.right > img', '.wrong > img'].map(s => "
            "getComputedStyle(document.querySelector(s)).borderTopColor)"
        )
    assert len({*colours["light"], *colours["dark"]}) == 4


def test_print_is_on_white_and_no_wider_than_the_paper(browser: Browser, page: Path) -> None:
    browser.open(page, 720, "dark")
    browser("Emulation.setEmulatedMedia", media="print",
            features=[{"name": "prefers-color-scheme", "value": "dark"}])  # fmt: skip
    body = "getComputedStyle(document.body)"
    assert browser.evaluate(f"{body}.backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate(f"{body}.color") == "rgb(0, 0, 0)"
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720
    assert browser.evaluate(CONTRASTS)[0][0] >= 4.5


def test_a_screen_reader_finds_headings_and_figures(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    browser("Accessibility.enable")
    nodes = browser("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    assert ("heading", "Worst queries") in named
    pictures = [name for role, name in named if role in ("image", "img")]
    assert len(pictures) > 40
    assert all(pictures)
