"""Which thresholds are in force: the user's, the map's calibration's, or the usual ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selavpr_core.place_map import Calibration

# No similarity and no margin lies below -1: such a value leaves the choice to the map.
LEFT_TO_THE_MAP = -2.0
USUAL_SIMILARITY = 0.5
USUAL_MARGIN = 0.0
# The least that any margin is: asks nothing.
NO_MARGIN = -2.0


@dataclass(frozen=True)
class Thresholds:
    """The least similarity and margin of an answer that counts.

    similarity_from, margin_from: where they are from, in words. problem: what is wrong with the
    map's calibration and what to do, in one line; None where it fits or where nothing is left to
    it.
    """

    similarity: float
    margin: float
    similarity_from: str
    margin_from: str
    problem: str | None = None

    def facts(self) -> dict[str, str]:
        """Both, in the words of the log and of diagnostics."""
        least_margin = "none" if self.margin <= NO_MARGIN else f"{self.margin:.3f}"
        return {
            "least similarity": f"{self.similarity:.3f} ({self.similarity_from})",
            "least margin": f"{least_margin} ({self.margin_from})",
        }


def thresholds_in_force(
    similarity: float,
    margin: float,
    calibration: Calibration | None,
    mode: str,
    candidates: int,
    places: int,
    usual: tuple[float, float] = (USUAL_SIMILARITY, USUAL_MARGIN),
) -> Thresholds:
    """Choose the thresholds of a map.

    Args:
        similarity, margin: the parameters similarity_threshold and margin_threshold; below -1
            they are left to the map.
        calibration: of the map. What of it does not hold for this search is not used.
        mode, candidates: of the search.
        places: how many the map has now.
        usual: similarity and margin where nothing else says.
    """
    similarity_left, margin_left = similarity < -1.0, margin < -1.0
    similarity_from = margin_from = "set by the parameter"
    if similarity_left:
        similarity, similarity_from = usual[0], _missing(calibration, mode, candidates)
        if calibration is not None and calibration.similarity_holds(mode, candidates):
            similarity, similarity_from = calibration.similarity, _found(calibration)
            if not calibration.margin_holds(mode, candidates):
                similarity_from = "the map's calibration, without its margin"
    if margin_left:
        margin, margin_from = usual[1], _missing(calibration, mode, candidates)
        if calibration is not None and calibration.margin_holds(mode, candidates):
            margin, margin_from = calibration.margin, _found(calibration)
    problem = None
    if calibration is not None and (similarity_left or margin_left):
        problem = _problem(calibration, mode, candidates, places, margin_left)
    return Thresholds(similarity, margin, similarity_from, margin_from, problem)


def _found(calibration: Calibration) -> str:
    wanted = calibration.wanted_precision
    return (
        f"the map's calibration: precision {calibration.precision:.3f}, "
        f"recall {calibration.recall:.3f}"
        + ("" if calibration.reached else f"; a precision of {wanted:g} was not reached")
    )


def _missing(calibration: Calibration | None, mode: str, candidates: int) -> str:
    if calibration is None:
        return "no calibration"
    if calibration.mode != mode:
        return f"no calibration for mode {mode}"
    return f"no calibration for candidates {candidates}"


def _problem(
    calibration: Calibration, mode: str, candidates: int, places: int, margin_left: bool
) -> str | None:
    if calibration.mode != mode:
        return (
            f"the map was calibrated for mode {calibration.mode}, not {mode}: run `selavpr "
            f"calibrate` with --mode {mode}"
        )
    holds = calibration.margin_holds if margin_left else calibration.similarity_holds
    if not holds(mode, candidates):
        return (
            f"the map was calibrated with candidates {calibration.candidates}, not {candidates}: "
            f"run `selavpr calibrate` with --candidates {candidates}"
        )
    if calibration.places != places:
        return (
            f"the calibration is older than the map ({calibration.places} places then, {places} "
            "now): run `selavpr calibrate` again"
        )
    return None
