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
    places: int,
    usual: tuple[float, float] = (USUAL_SIMILARITY, USUAL_MARGIN),
) -> Thresholds:
    """Choose the thresholds of a map.

    Args:
        similarity, margin: the parameters similarity_threshold and margin_threshold; below -1
            they are left to the map.
        calibration: of the map. One that was made for another mode is not used.
        mode: of the search.
        places: how many the map has now.
        usual: similarity and margin where nothing else says.
    """
    by_parameter = "set by the parameter"
    if calibration is not None and calibration.mode == mode:
        by_map = (
            f"the map's calibration: precision {calibration.precision:.3f}, "
            f"recall {calibration.recall:.3f}"
        )
        from_map = calibration.similarity, calibration.margin
    else:
        by_map = "no calibration" + (f" for mode {mode}" if calibration else "")
        from_map = usual
    left = similarity < -1.0, margin < -1.0
    return Thresholds(
        from_map[0] if left[0] else similarity,
        from_map[1] if left[1] else margin,
        by_map if left[0] else by_parameter,
        by_map if left[1] else by_parameter,
        _problem(calibration, mode, places) if any(left) else None,
    )


def _problem(calibration: Calibration | None, mode: str, places: int) -> str | None:
    if calibration is None:
        return None
    if calibration.mode != mode:
        return (
            f"the map was calibrated for mode {calibration.mode}, not {mode}: run `selavpr "
            f"calibrate` with --mode {mode}"
        )
    if calibration.places != places:
        return (
            f"the calibration is older than the map ({calibration.places} places then, {places} "
            "now): run `selavpr calibrate` again"
        )
    return None
