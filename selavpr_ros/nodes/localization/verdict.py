"""What follows from a frame: from what the map says about it, or from what the filter believes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from selavpr_core.place_filter import Belief
from selavpr_ros.nodes.camera.thresholds import Thresholds
from selavpr_ros.nodes.localization.outcome import Ambiguous, Localized, NotInMap, Unsettled
from selavpr_ros.nodes.localization.pose_estimate import (
    UNKNOWN_YAW_VARIANCE,
    PoseEstimate,
    candidates_agree,
)
from selavpr_ros.nodes.localization.recognizer import Recognition

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap

# A heading that is less certain (one sigma, rad) is that of the track for want of a better one:
# nobody should turn by it.
WIDEST_YAW_SIGMA = 1.0


def verdict_by_image(
    recognition: Recognition, thresholds: Thresholds, place_map: PlaceMap
) -> Localized | NotInMap | Ambiguous:
    """Judge an image by itself: its best match counts from the thresholds on."""
    similarity, margin = recognition.similarity, recognition.margin
    if similarity < thresholds.similarity:
        return NotInMap(similarity, thresholds.similarity)
    if margin < thresholds.margin:
        return Ambiguous(similarity, margin, thresholds.margin)
    place = recognition.matches[0].place
    segment = place_map.segment_of(place).name
    return Localized(similarity, place, segment, recognition.estimate)


def verdict_by_filter(
    belief: Belief, recognition: Recognition, place_map: PlaceMap
) -> Localized | Unsettled:
    """Judge by the filter: the robot is where it believes, once it is sure."""
    similarity = recognition.similarity
    if belief.place < 0:
        return Unsettled("lost", similarity, -1, "", None, 0.0)
    segment = place_map.segment_of(belief.place).name
    estimate = _estimate(belief, recognition)
    if belief.state == "localised":
        return Localized(similarity, belief.place, segment, estimate, belief.probability)
    return Unsettled(
        belief.state,
        similarity,
        belief.place,
        segment,
        estimate,
        belief.probability,
        belief.seen,
    )


def _estimate(belief: Belief, recognition: Recognition) -> PoseEstimate:
    """The filter's pose; one whose yaw nobody knows is like that of a place without a heading."""
    similarities = np.array([match.similarity for match in recognition.matches])
    agreement = candidates_agree(similarities, recognition.positions, belief.position)
    yaw, covariance = belief.yaw, belief.covariance
    if math.isnan(yaw) or covariance[5, 5] >= WIDEST_YAW_SIGMA**2:
        yaw, covariance = math.nan, covariance.copy()
        covariance[5, :] = covariance[:, 5] = 0.0
        covariance[5, 5] = UNKNOWN_YAW_VARIANCE
    return PoseEstimate(belief.position, yaw, covariance, agreement)
