"""The page: what was evaluated, how well it went, and where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from selavpr_core.model import SelaVPR
from training.errors import EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult
from training.report.attention import Attention, draw_attention
from training.report.curves import (
    draw_precision_recalls,
    draw_recalls,
    legend_key,
    recall_values,
)
from training.report.matches import QUERIES
from training.report.queries import (
    Failure,
    Place,
    failure,
    latest_right,
    most_confidently_wrong,
    right_answers,
)
from training.report.tables import (
    latency_table,
    mode_name,
    percent,
    protocol_rows,
    results_table,
    summary_rows,
)
from training.report.thumbnails import Picture, thumbnail
from training.report.tracks import MAPS, draw_tracks

WORST = 6  # queries shown in each of the two groups
_ATTENTION = 3  # images of right answers and as many of wrong ones
_UNREADABLE = 20  # images named


@dataclass(frozen=True)
class _Shown:
    """A database image in the page. place: what is known of it. key: its name."""

    place: Place
    key: str
    picture: Picture


@dataclass(frozen=True)
class _Card:
    """A query in the page, with its first matches and the right place."""

    key: str
    picture: Picture
    failure: Failure
    matches: tuple[_Shown, ...]
    right: _Shown | None


@dataclass(frozen=True)
class _Worst:
    """The worst queries of one mode, in two groups. ranked: places in the longest ranking."""

    mode: str
    ranked: int
    confident: tuple[_Card, ...]
    late: tuple[_Card, ...]


def write_report(
    folder: Path,
    result: EvaluationResult,
    evaluation_set: EvaluationSet,
    model: SelaVPR | None,
) -> Path:
    """Write an evaluation as one HTML page without any external reference; return its path.

    The page shows at most 12 queries with 3 matches each, 6 images with attention maps and 4 maps
    of 600 queries, which keeps it below 5 MB for a set of any size. The same input gives the same
    bytes. Images that cannot be read are shown as such. Tracks are left out where the set has no
    positions, worst queries and curves without ground truth, and attention maps without a model.

    folder: is made if needed; `index.html` in it is replaced.
    model: computes the attention maps, on the device it is on; None leaves them out.

    Raises EvaluationError where the page cannot be written.
    """
    mode_keys = list(result.modes)
    names = {key: mode_name(key, mode) for key, mode in result.modes.items()}
    main = _main_mode(result)
    worst = None
    tracks = None
    answered_right: list[int] = []
    if main is not None and evaluation_set.scored:
        worst = _worst(result.modes[main], names[main], result, evaluation_set)
        tracks = draw_tracks(result.modes[main], evaluation_set)
        answered_right = right_answers(result.modes[main], evaluation_set.positives, _ATTENTION)
    attention = None
    if model is not None:
        attention = _attention(model, evaluation_set, answered_right, worst)
    marked = {names[key]: result.modes[key].recalls for key in mode_keys}
    counted = _counts_without_positives(result, evaluation_set)
    recalls = {
        names[key]: recall_values(mode.rankings, evaluation_set.positives, counted)
        for key, mode in result.modes.items()
        if mode.recalls
    }
    html = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            result=result,
            set=evaluation_set,
            names=names,
            main=main,
            percent=percent,
            table=results_table(result),
            latency=latency_table(result),
            summary=summary_rows(result.protocol, evaluation_set.rule),
            protocol=protocol_rows(result.protocol),
            keys=[(legend_key(series), names[key]) for series, key in enumerate(mode_keys)],
            recall_curves=draw_recalls(recalls, marked) if recalls else None,
            precision_recall_curves=draw_precision_recalls(
                {names[key]: mode.curve for key, mode in result.modes.items()}
            ),
            worst=worst,
            tracks=tracks,
            attention=attention,
            answered_right=answered_right,
            untrained=model is not None and not model.pretrained,
            unreadable=result.unreadable[:_UNREADABLE],
            bounds={"worst": WORST, "maps": MAPS, "queries": QUERIES},
        )
    )
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file name that is no UTF-8 arrives with lone surrogates, which UTF-8 cannot hold.
        page.write_text(html, encoding="utf-8", errors="replace")
    except OSError as error:
        raise EvaluationError(
            f"the report {page} cannot be written: {error.strerror}; name another folder"
        ) from None
    return page


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["metres"] = _metres
    return environment


def _metres(distance: float) -> str:
    if distance < 1000:
        number, unit = f"{distance:.1f}" if distance < 100 else f"{distance:.0f}", "m"
    else:
        number, unit = f"{distance / 1000:,.1f}", "km"
    return f"{number}\N{NO-BREAK SPACE}{unit}"


def _main_mode(result: EvaluationResult) -> str | None:
    """Return the mode that failures are shown for: two-stage with the most candidates, if any."""

    def place(key: str) -> tuple[int, int]:
        mode = result.modes[key]
        return ("code", "float", "two-stage").index(mode.mode), mode.candidates or 0

    return max(result.modes, key=place, default=None)


def _counts_without_positives(result: EvaluationResult, evaluation_set: EvaluationSet) -> bool:
    """Return whether queries without positives count, as the evaluation was told or by the set."""
    said = result.protocol.get("queries_without_positives")
    return evaluation_set.count_without_positives if said is None else bool(said == "counted")


def _worst(
    mode: ModeResult, name: str, result: EvaluationResult, evaluation_set: EvaluationSet
) -> _Worst:
    positives = evaluation_set.positives
    counted = np.array([len(right) > 0 for right in positives], bool)
    if _counts_without_positives(result, evaluation_set):
        counted[:] = True
    confident = most_confidently_wrong(mode, positives, counted, WORST)
    late = latest_right(mode, positives, counted, WORST, without=confident)
    return _Worst(
        name,
        int((mode.rankings >= 0).sum(axis=1).max()),
        _cards(mode, evaluation_set, confident),
        _cards(mode, evaluation_set, late),
    )


def _cards(
    mode: ModeResult, evaluation_set: EvaluationSet, queries: Sequence[int]
) -> tuple[_Card, ...]:
    return tuple(_card(failure(mode, evaluation_set, query), evaluation_set) for query in queries)


def _card(found: Failure, evaluation_set: EvaluationSet) -> _Card:
    def shown(place: Place) -> _Shown:
        key = evaluation_set.database_keys[place.number]
        return _Shown(place, key, thumbnail(evaluation_set.database[place.number]))

    return _Card(
        evaluation_set.query_keys[found.query],
        thumbnail(evaluation_set.queries[found.query]),
        found,
        tuple(shown(place) for place in found.matches),
        None if found.right_place is None else shown(found.right_place),
    )


def _attention(
    model: SelaVPR, evaluation_set: EvaluationSet, answered_right: list[int], worst: _Worst | None
) -> Attention | None:
    """Draw maps of right answers and of the most confidently wrong ones; else of any queries."""
    wrong = [] if worst is None else [card.failure.query for card in worst.confident[:_ATTENTION]]
    chosen = answered_right + wrong
    if not chosen:
        count = len(evaluation_set.queries)
        chosen = np.unique(np.linspace(0, count - 1, min(count, _ATTENTION)).astype(int)).tolist()
    return draw_attention(model, evaluation_set.queries, chosen, evaluation_set.query_shorter_side)
