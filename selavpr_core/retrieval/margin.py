"""How much more alike the best place looks than the best place elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selavpr_core.retrieval.localizer import Match

ELSEWHERE = 25.0
"""Metres from the best match beyond which a place is another one, as the field's benchmarks do."""

NO_RIVAL = -1.0
"""The similarity that counts where no candidate is elsewhere: the least there is."""


def margin(matches: Sequence[Match], positions: NDArray[np.floating]) -> float:
    """Return the similarity of the best match minus that of the best candidate elsewhere.

    Two places that look alike give a margin near 0, however similar each is to the query. Where no
    candidate is farther than 25 m from the best match, all speak for one place, and the rival
    counts as similarity -1.

    Args:
        matches: candidates, best first, as from Localizer.localize; ask for all of them.
        positions: [N, 2] or [N, 3] metres, of all places by their number; a height is ignored.

    Returns:
        The margin, 0 to 2; NaN without any match.
    """
    if not matches:
        return float("nan")
    places = [match.place for match in matches]
    where = positions[places, :2]
    away = np.hypot(*(where - where[0]).T) > ELSEWHERE
    first = int(np.argmax(away))
    rival = matches[first].similarity if away[first] else NO_RIVAL
    return matches[0].similarity - rival
