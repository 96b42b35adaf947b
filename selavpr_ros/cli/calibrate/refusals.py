"""Why no thresholds are stored, in one line each."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from selavpr_ros.cli.calibrate.report import own_segments, percent

if TYPE_CHECKING:
    from selavpr_core.calibration import Asked, Choice
    from selavpr_core.place_map import Calibration, PlaceMap

LEAST_WANTED = 0.5  # precision: who is wrong more often than right needs no threshold, but a map
_LEAST_PLACES = 3  # of fewer, one is half of the map, whatever the radius


def nothing_asked(place_map: PlaceMap, asked: Asked, options: argparse.Namespace) -> str:
    """Say why the map could not be asked anything, and what to do."""
    from selavpr_ros.mapping.summary import counted

    if asked.own:
        return (
            f"{options.queries} is in {place_map.path} already, as {own_segments(asked)}: a drive"
            " must not find itself, and no other segment shows what it sees; give the bag of"
            " another drive, or leave --queries out to ask for the map's own places"
        )
    path, places = place_map.path, len(place_map)
    own_places = options.queries is None
    asked_for = "a place" if own_places else f"a frame of {options.queries}"
    said = f"{path} cannot be asked for {asked_for}"
    if places < _LEAST_PLACES:
        return f"{said}: it has only {counted(places, 'place')}; add drives to the map"
    if 2 * asked.crowded > asked.left_out:
        return (
            f"{said}: half of its {places} places lie within {4 * options.radius:g} m, four times"
            " --radius, where all are hidden to stand for being elsewhere; add drives to the map,"
            " or give a smaller --radius, within which answers must be right"
        )
    what = "shows no place again" if own_places else "has no place"
    advice = "add drives to the map" if own_places else "give a drive along the places of the map"
    return (
        f"{said}: it {what} within {options.radius:g} m, looking the same way; {advice}, or give a"
        " larger --radius"
    )


def not_reached(
    place_map: PlaceMap,
    asked: Asked,
    choice: Choice,
    calibration: Calibration,
    options: argparse.Namespace,
) -> str:
    """Say why the thresholds are not stored, how much is missing, and what to do."""
    from selavpr_core.calibration import answers_needed, choose_thresholds, times_the_queries
    from selavpr_core.place_map.calibration import least_bound
    from selavpr_ros.mapping.summary import counted

    wanted, answers = calibration.wanted_precision, asked.answers
    drive = "a longer drive" if asked.kind == "drive" else "a second drive"
    times = times_the_queries(answers, wanted)
    if times is not None:
        why = (
            f"{_asked_for(asked, options)}, and again as if it did not show them:"
            f" {len(answers)} queries are too few to show it"
        )
        advice = (
            f"give {drive} with --queries: about {math.ceil(times * len(answers))} queries,"
            " half of them from inside, would do if they are answered as well"
        )
    elif choice.bound > 0:
        why = "no similarity and margin tell right from wrong that well"
        advice = "add drives to the map"
    else:
        right = int(answers.right.sum())
        why = (
            f"{_asked_for(asked, options)}; {counted(right, 'answer')}"
            f" {'is' if right == 1 else 'are'} right, and at least"
            f" {answers_needed(wanted)} right ones are needed"
        )
        advice = f"give {drive} with --queries, or add drives to the map"
    if choice.bound > 0:
        shown = (
            f"at best {percent(choice.precision)} of {counted(choice.answered, 'answer')} are"
            f" right, with 95 % confidence at least {percent(choice.bound)}, and"
            f" {percent(least_bound(wanted))} are needed"
        )
        closest = ", or store what comes closest with --closest"
    else:  # all thresholds are equally far from what is wanted
        shown = "with 95 % confidence no precision at all is shown, so that nothing comes closest"
        closest = ""
    lower = math.floor(100 * choice.shown) / 100
    if lower >= LEAST_WANTED:
        recall = percent(choose_thresholds(answers, lower).recall)
        advice += f", or write --precision {lower:g}, which is reached with recall {recall}"
    return (
        f"{place_map.path}: a precision of {100 * wanted:g} % is not reached: {why}: {shown};"
        f" {advice}{closest}; nothing was stored"
    )


def _asked_for(asked: Asked, options: argparse.Namespace) -> str:
    """Say how many places or frames the map was asked for, and why it was not for the others."""
    from selavpr_ros.mapping.summary import counted

    number = len(asked.answers) - int(asked.answers.inside.sum())  # those inside are asked twice
    total = number + asked.left_out
    if options.queries is None:
        of = f"its {counted(total, 'place')}"
    else:
        of = f"{counted(total, 'frame')} of {options.queries}"
    unseen, radius = asked.left_out - asked.crowded, options.radius
    reasons = []
    if unseen:
        reasons.append(f"{unseen} with no place within {radius:g} m that looks the same way")
    if asked.crowded:
        reasons.append(f"{asked.crowded} with half of the map within {4 * radius:g} m")
    if not reasons:
        return f"the map was asked for {of}"
    return f"of {of} the map was asked for {number}, and not for {', '.join(reasons)}"
