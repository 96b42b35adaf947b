"""The text of ~/state: where the robot is and how sure that is, as JSON."""

from __future__ import annotations

import json
import math

from selavpr_ros.nodes.localization.outcome import Judged, Localized, Unsettled, state_of


def state_json(stamp: int, frame: str, outcome: Judged) -> str:
    """Describe what came of the image with this stamp (ns).

    An object with the entries stamp, frame (of position, yaw and covariance), state (lost,
    candidate or localised), probability (null without the filter), reason (the state in words),
    similarity (of the best match of the image), place, segment, position (x, y, z in m), yaw (rad,
    null where unknown) and covariance (36 numbers, rows of x, y, z, roll, pitch, yaw). What is not
    known is null. The pose of a candidate is that of the likeliest hypothesis.
    """
    entries = {
        "stamp": stamp,
        "frame": frame,
        "state": state_of(outcome),
        "probability": None,
        "reason": str(outcome),
        "similarity": outcome.similarity,
        "place": None,
        "segment": None,
        "position": None,
        "yaw": None,
        "covariance": None,
    }
    if isinstance(outcome, (Localized, Unsettled)):
        entries["probability"] = outcome.probability
        if outcome.estimate is not None:
            estimate = outcome.estimate
            entries["place"], entries["segment"] = outcome.place, outcome.segment
            entries["position"] = estimate.position.tolist()
            entries["yaw"] = None if math.isnan(estimate.yaw) else estimate.yaw
            entries["covariance"] = estimate.covariance.reshape(-1).tolist()
    return json.dumps(entries, allow_nan=False)
