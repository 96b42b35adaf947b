from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selavpr_core import SelaVPR
from selavpr_core.evaluation import precision_recall
from test.training.report.parsed import Node, parse
from test.training.report.sample import DAMAGED, HOSTILE, QUERIES
from training.errors import EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult
from training.report import write_report

SECTIONS = ["results", "curves", "worst", "tracks", "attention", "protocol"]


@pytest.fixture(scope="module")
def document(page: Path) -> Node:
    return parse(page.read_text(encoding="utf-8"))


def sections(document: Node) -> list[str]:
    return [node.attributes["id"] for node in document.all("section")]


def written(folder: Path, result: EvaluationResult, evaluation_set: EvaluationSet) -> Node:
    return parse(write_report(folder, result, evaluation_set, None).read_text(encoding="utf-8"))


def test_every_section_is_there_with_its_heading(document: Node) -> None:
    assert sections(document) == SECTIONS
    for section in document.all("section"):
        heading = document.by_id(section.attributes["aria-labelledby"])
        assert heading is not None
        assert heading.tag == "h2"
    linked = [a.attributes["href"] for nav in document.all("nav") for a in nav.all("a")]
    assert linked == [f"#{name}" for name in SECTIONS]


def test_headings_begin_with_the_set_and_skip_no_level(document: Node) -> None:
    headings = document.all("h1", "h2", "h3", "h4")
    levels = [int(node.tag[1]) for node in headings]
    assert headings[0].text == "sample"
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_first_table_holds_the_figures_of_the_result(
    document: Node, result: EvaluationResult
) -> None:
    table = document.all("table")[0]
    heads = [cell.text for cell in table.all("thead")[0].all("th")]
    assert heads == [
        "Mode", "R@1", "R@5", "R@10", "PR area", "Recall at 100 % precision", "Bytes per place",
    ]  # fmt: skip
    rows = [[cell.text for cell in row.all("th", "td")] for row in table.all("tbody")[0].all("tr")]
    assert [row[0] for row in rows] == [
        "Float descriptors alone", "Codes alone", "Two-stage, 100 candidates",
    ]  # fmt: skip
    for row, (name, mode) in zip(rows, result.modes.items(), strict=True):
        shown = [float(text.split()[0]) for text in row[1:4]]
        assert shown == pytest.approx([100 * mode.recalls[n] for n in (1, 5, 10)], abs=0.0501)
        assert float(row[4].split()[0]) == pytest.approx(100 * mode.curve.area, abs=0.0501)
        full = 100 * mode.curve.recall_at_full_precision
        assert float(row[5].split()[0]) == pytest.approx(full, abs=0.0501)
        assert int(row[6].replace(",", "")) == result.bytes_per_place[name]
    # 7 of 12 are right at once, one less by the codes.
    assert [row[1] for row in rows] == ["58.3 %", "50.0 %", "58.3 %"]


def test_the_second_table_holds_the_latencies(document: Node) -> None:
    table = document.all("table")[1]
    assert [cell.text for cell in table.all("thead")[0].all("th")] == [
        "Mode", "Stage", "Median", "90th", "99th", "Longest",
    ]  # fmt: skip
    row = table.all("tbody")[0].all("tr")[0]
    assert [c.text for c in row.all("th", "td")][1:] == [
        "inference",
        "4.25",
        "5.50",
        "123",
        "1,234",
    ]


def test_the_protocol_is_listed_whole(document: Node, result: EvaluationResult) -> None:
    protocol = document.by_id("protocol")
    assert protocol is not None
    assert len(protocol.all("dt")) == len(result.protocol)
    assert "size 224, 224; antialias no" in [node.text for node in protocol.all("dd")]
    assert "not an image" in protocol.by_class("unreadable")[0].text


def test_nothing_refers_to_anything_outside(page: Path, document: Node) -> None:
    for node in document.all():
        assert node.tag not in {"script", "iframe", "object", "embed", "base", "form", "audio"}
        for name, value in node.attributes.items():
            if name in {"src", "href", "xlink:href", "srcset", "data", "poster"}:
                assert value.startswith(("data:", "#")), (node.tag, name, value[:80])
            assert not name.startswith("on"), f"{node.tag} has {name}"
    html = page.read_text(encoding="utf-8")
    for pattern in (r"https?:", r"url\(", r"@import", r"file:", r"//[a-z]"):
        without_pictures = re.sub(r"data:[a-z/;0-9]+,[A-Za-z0-9+/=]*", "", html)
        assert not re.search(pattern, without_pictures), pattern
    policy = [m for m in document.all("meta") if "http-equiv" in m.attributes]
    assert policy[0].attributes["content"].startswith("default-src 'none'")


def test_names_are_text_and_never_markup(document: Node) -> None:
    assert HOSTILE in [node.text for node in document.by_class("key-name")]
    titles = [node.text for node in document.all("title")]
    assert any(HOSTILE in text for text in titles)
    assert any(HOSTILE in image.attributes["alt"] for image in document.all("img"))


def test_every_picture_has_a_text(document: Node) -> None:
    assert document.all("img")
    assert all(image.attributes["alt"].strip() for image in document.all("img"))
    for drawing in document.all("svg"):
        assert drawing.attributes.get("aria-label") or drawing.attributes["role"] == "presentation"


def test_borders_are_not_the_only_sign_of_right_and_wrong(document: Node) -> None:
    worst = document.by_id("worst")
    assert worst is not None
    assert all("✓ right" in figure.text for figure in worst.by_class("right"))
    assert all("✗ wrong" in figure.text for figure in worst.by_class("wrong"))
    assert worst.by_class("right")
    assert worst.by_class("wrong")


def test_the_worst_queries_are_the_surest_mistakes_and_the_latest_right_places(
    document: Node, evaluation_set: EvaluationSet
) -> None:
    worst = document.by_id("worst")
    assert worst is not None
    asked = [card.by_class("asked")[0] for card in worst.by_class("query-card")]
    # Similarities fall with the number of the query: 2, 3, 5, 8 and 10 are wrong, in this order.
    assert [figure.by_class("key-name")[0].text for figure in asked] == [
        evaluation_set.query_keys[query] for query in (2, 3, 5, 8, 10)
    ]
    assert "first right place at rank 2" in asked[0].text
    assert "no right place among the first 10" in asked[2].text
    assert "There is no other query" in worst.text
    first = worst.by_class("query-card")[0]
    assert "rank 1, similarity 0.8500 9.2 m away" in first.by_class("found")[0].text
    assert "rank 2, similarity 0.8400 2.2 m away" in first.by_class("truth")[0].text


def test_an_image_that_cannot_be_read_is_shown_as_such(document: Node) -> None:
    missing = document.by_class("missing")
    assert [node.text for node in missing] == ["cannot be read: not an image"]
    assert f"query{DAMAGED}.png" in missing[0].attributes["aria-label"]


def test_the_same_input_gives_the_same_bytes(
    tmp_path: Path, page: Path, result: EvaluationResult, evaluation_set: EvaluationSet,
    tiny: SelaVPR,
) -> None:  # fmt: skip
    again = write_report(tmp_path / "new" / "folder", result, evaluation_set, tiny)
    assert again.read_bytes() == page.read_bytes()


def test_without_positions_there_are_no_tracks_and_no_distances(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    bare = replace(evaluation_set, database_positions=None, query_positions=None)
    document = written(tmp_path, result, bare)
    assert sections(document) == ["results", "curves", "worst", "protocol"]
    worst = document.by_id("worst")
    assert worst is not None
    assert " away" not in worst.text


def test_codes_alone(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    alone = replace(
        result, modes={"code": result.modes["code"]}, bytes_per_place={"code": 64},
        unavailable={"float": "the weights have no <float> branch"},
    )  # fmt: skip
    document = written(tmp_path, alone, evaluation_set)
    assert len(document.all("table")[0].all("tbody")[0].all("tr")) == 1
    assert "Without float: the weights have no <float> branch" in document.text
    assert "Mode: Codes alone" in document.text
    assert not document.all("strong"), "one mode has no best"


def test_without_ground_truth_only_what_was_measured_is_shown(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    nothing = [np.empty(0, np.int64)] * QUERIES
    mode = result.modes["code"]
    curve = precision_recall(mode.rankings[:, 0], mode.scores[:, 0], nothing, False)
    unscored = replace(result, modes={"code": replace(mode, recalls={}, curve=curve)})
    document = written(tmp_path, unscored, replace(evaluation_set, positives=nothing, scored=False))
    assert sections(document) == ["results", "protocol"]
    assert "no ground truth" in document.text


def test_a_query_without_a_right_place_is_a_mistake_only_where_it_counts(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    positives = [np.empty(0, np.int64), *evaluation_set.positives[1:]]
    lacking = replace(evaluation_set, positives=positives)
    left_out = written(tmp_path, result, lacking)
    assert "There is no right place for this query." not in left_out.text
    counting = replace(result, protocol={**result.protocol, "queries_without_positives": "counted"})
    counted = written(tmp_path, counting, lacking)
    first = counted.by_class("query-card")[0]
    assert first.by_class("asked")[0].by_class("key-name")[0].text == "query0.png"
    assert "There is no right place for this query." in first.text


def test_a_query_that_found_nothing_does_not_break_the_page(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    mode = result.modes["two-stage"]
    rankings, scores = mode.rankings.copy(), mode.scores.copy()
    rankings[DAMAGED], scores[DAMAGED] = -1, np.nan
    rankings[2, 1:], scores[2, 1:] = -1, np.nan
    modes = {"two-stage": replace(mode, rankings=rankings, scores=scores)}
    document = written(tmp_path, replace(result, modes=modes), evaluation_set)
    keys = [c.by_class("asked")[0].by_class("key-name")[0].text
            for c in document.by_class("query-card")]  # fmt: skip
    assert f"query{DAMAGED}.png" not in keys
    assert keys[0] == "query2.png"
    assert "not answered" in document.text
    assert "nan" not in document.text.lower().split()


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    (tmp_path / "file").write_text("here already")
    with pytest.raises(EvaluationError, match=r"file/index\.html cannot be written: .+; name"):
        write_report(tmp_path / "file", result, evaluation_set, None)


def test_a_name_that_is_no_utf8_is_written_with_a_mark(
    tmp_path: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    keys = list(evaluation_set.query_keys)
    keys[2] = "caf\udce9.jpg"
    document = written(tmp_path, result, replace(evaluation_set, query_keys=keys))
    assert "caf?.jpg" in document.text


def test_a_huge_set_of_incompressible_images_stays_a_small_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = tmp_path / "noise.png"
    Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(noise)
    places, queries, depth = 20_000, 4_000, 20
    rankings = rng.integers(0, places, (queries, depth))
    scores = -np.sort(-rng.random((queries, depth), np.float32), axis=1)
    positives = [np.array([number]) for number in range(queries)]
    mode = ModeResult(
        "float", rankings, scores, {1: 0.0, 5: 0.001},
        precision_recall(rankings[:, 0], scores[:, 0], positives, False), {},
    )  # fmt: skip
    cities = np.repeat([0.0, 1e5, 2e5, 3e5, 4e5], 800)
    huge = EvaluationSet(
        "huge", "", [noise] * places, [noise] * queries, positives,
        rng.random((places, 2)) * 1000 + np.repeat(cities, 5)[:, None],
        rng.random((queries, 2)) * 1000 + cities[:, None],
        "25 m", True, [f"d{n}" for n in range(places)], [f"q{n}" for n in range(queries)],
    )  # fmt: skip
    page = write_report(
        tmp_path, EvaluationResult({}, {"float": mode}, places, queries, {}), huge, None
    )
    assert page.stat().st_size < 4_000_000
    document = parse(page.read_text(encoding="utf-8"))
    assert len(document.by_class("query-card")) == 12
    tracks = document.by_id("tracks")
    assert tracks is not None
    assert len(tracks.by_class("tracks")) == 4
    assert "1 more region" in tracks.text
    assert len(tracks.by_class("query")) <= 4 * 600 + 2
