"""How many answers it takes to show a precision, where nothing is answered wrongly."""

from __future__ import annotations

import numpy as np

from selavpr_core.calibration.answers import Answers
from selavpr_core.calibration.thresholds import curve
from selavpr_core.place_map.calibration import least_bound

_ENOUGH = 400  # for any precision: 100 % takes 233


def answers_needed(wanted: float) -> int:
    """Return of how few answers, all of them right, a precision (0 to 1) can be shown.

    Each of a stretch of its own: those that were taken near each other show less.
    """
    perfect = Answers(
        similarities=np.linspace(1, 0, _ENOUGH),
        margins=np.ones(_ENOUGH),
        right=np.ones(_ENOUGH, bool),
        inside=np.ones(_ENOUGH, bool),
        stretches=np.arange(_ENOUGH),
    )
    swept = curve(perfect)
    return int(swept.answered[swept.bounds >= least_bound(wanted)][0])
