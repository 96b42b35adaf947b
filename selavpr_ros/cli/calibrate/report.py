"""What a calibration found, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selavpr_core.calibration import Asked, Choice
    from selavpr_core.place_map import Calibration


def summary_lines(
    path: Path, asked: Asked, choice: Choice, calibration: Calibration, picture: Path
) -> list[str]:
    """Say what was found and stored, a line for each thing."""
    from selavpr_ros.mapping.summary import counted

    lines = [
        f"map        {path}: {counted(calibration.places, 'place')}, mode {calibration.mode},"
        f" {counted(calibration.candidates, 'candidate')}",
        f"queries    {query_counts(asked)}",
        f"from       {calibration.source}",
        f"threshold  similarity {calibration.similarity:.4f}, margin {calibration.margin:g}",
        f"precision  {percent(choice.precision)} of {counted(choice.answered, 'answer')} within"
        f" {calibration.radius:g} m; with 95 % confidence at least {percent(choice.bound)}",
        f"recall     {percent(choice.recall)} of the queries from inside",
        f"stored     in {path}; the curve in {picture}",
    ]
    if not choice.reached:
        wanted = f"{100 * calibration.wanted_precision:g} %"
        lines.append(f"NOT REACHED: a precision of {wanted}; this is what comes closest")
    return lines


def picture_title(path: Path, choice: Choice, wanted: float) -> str:
    """Say in the picture what was found; where the precision is not reached, that above all."""
    name, recall = path.resolve().name, f"recall {percent(choice.recall)}"
    if not choice.reached:  # in the legend there are the similarity and the margin
        return (
            f"{name}: {100 * wanted:g} % NOT REACHED: precision {percent(choice.precision)}, at"
            f" least {percent(choice.bound)}; {recall}"
        )
    return (
        f"{name}: similarity {choice.similarity:.3f}, margin {choice.margin:g} give precision"
        f" {percent(choice.precision)}, {recall}"
    )


def query_counts(asked: Asked) -> str:
    """Say how many queries there were, and how many were not asked."""
    inside = int(asked.answers.inside.sum())
    said = f"{inside} from inside of the map, {len(asked.answers) - inside} from outside"
    return f"{said}, {asked.left_out} left out" if asked.left_out else said


def own_segments(asked: Asked) -> str:
    """Name the segments that are of the drive itself."""
    return f"segment{'s' if len(asked.own) > 1 else ''} {', '.join(asked.own)}"


def percent(share: float) -> str:
    """Write a share (0 to 1) in percent."""
    return f"{100 * share:.1f} %"
