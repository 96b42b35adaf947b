"""Geometric verification: whether two pictures can be of one rigid scene."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_ros.loop_closure import motion
from selavpr_ros.loop_closure.camera import comparable, focal, rays

PICTURE_SIDE = 512
"""Pixels of the longest side of the pictures that keyframes are verified by."""

MAX_FEATURES = 1000
CONTRAST = 0.02  # of a feature; half of OpenCV's default: blank walls have little
RATIO = 0.75  # a match must be this much nearer than the second nearest (Lowe 2004)
TOLERANCE = 2.0  # pixels from an epipolar line, at PICTURE_SIDE
CONFIDENCE = 0.999
ITERATIONS = 5000
MIN_POINTS = 8  # below this any two pictures agree with some geometry
LEAST_PARALLAX = math.radians(0.5)  # below it, noise decides about the direction of translation
# Of what is stated, one sigma: a place alone tells the heading to 12 degrees, and more than half of
# that is not worth a measurement's name; of a direction it tells nothing.
MOST_ROTATION_SIGMA = math.radians(5.0)
MOST_DIRECTION_SIGMA = math.radians(15.0)
_CELLS = 8  # a picture is divided into 8 x 8 to tell how far points spread


class Features(NamedTuple):
    """Local features of a picture.

    points: [N, 2] float32 pixels (column, row). descriptors: [N, 128] float32 RootSIFT, of length
    1. size: width and height of the picture.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    size: tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """What two pictures have in common.

    Attributes:
        model: "essential" where both cameras are known and comparable, else "fundamental".
        matches: features that were matched.
        inliers: those of them that agree with one epipolar geometry.
        coverage: share of 8 x 8 cells of the picture with an inlier, the smaller of the two.
        rotation: x, y, z, w of the quaternion that turns directions of the query's optical frame
            (x right, y down, z forward, REP-103) into those of the match's; None if unknown, or to
            no better than MOST_ROTATION_SIGMA.
        direction: unit vector from the match's to the query's camera in the match's optical frame;
            None without a rotation, where the pictures show too little parallax to tell, or where
            it is known to no better than MOST_DIRECTION_SIGMA.
        parallax: radians, median over the inliers, of what that rotation leaves unexplained.
        rotation_sigma: radians, one standard deviation about the worst axis; None without rotation.
        direction_sigma: the same of the direction.
    """

    model: str
    matches: int
    inliers: int
    coverage: float
    rotation: tuple[float, float, float, float] | None = None
    direction: tuple[float, float, float] | None = None
    parallax: float | None = None
    rotation_sigma: float | None = None
    direction_sigma: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "model": self.model,
            "matches": self.matches,
            "inliers": self.inliers,
            "coverage": round(self.coverage, 3),
            "rotation": None if self.rotation is None else list(self.rotation),
            "direction": None if self.direction is None else list(self.direction),
            "parallax": self.parallax,
            "rotation_sigma": self.rotation_sigma,
            "direction_sigma": self.direction_sigma,
        }


@lru_cache(maxsize=1)
def _detector() -> Any:
    return cast(Any, cv2).SIFT_create(
        MAX_FEATURES, contrastThreshold=CONTRAST
    )  # the stubs do not know it


def extract(picture: NDArray[np.uint8]) -> Features:
    """Return the features of a picture [H, W, 3] RGB or [H, W] grey, at most PICTURE_SIDE wide.

    Larger ones are made smaller first; the points are those of the smaller picture.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    height, width = grey.shape
    scale = min(1.0, PICTURE_SIDE / max(height, width))
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    keypoints, descriptors = _detector().detectAndCompute(grey, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    # RootSIFT (Arandjelovic and Zisserman 2012): cosines of it are Hellinger's kernel of SIFT.
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    return Features(points.reshape(-1, 2), roots, (width, height))


def extract_jpeg(jpeg: bytes) -> Features | None:
    """Return the features of a JPEG, or None where it cannot be read."""
    if not jpeg:
        return None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if picture is None else extract(np.asarray(picture, np.uint8))


def compare(
    match: Features,
    query: Features,
    match_camera: CameraModel | None = None,
    query_camera: CameraModel | None = None,
) -> Geometry:
    """Find the epipolar geometry that most matched features of two pictures agree with.

    With both cameras it is the essential matrix, and tells how the cameras stood to each other;
    else, or where one sees by far the smaller part, the fundamental matrix. By MAGSAC (Barath et
    al. 2019) of OpenCV.
    """
    pairs = _matched(match.descriptors, query.descriptors)
    first, second = match.points[pairs[:, 0]], query.points[pairs[:, 1]]
    if (
        match_camera is not None
        and query_camera is not None
        and not comparable(match_camera, match.size, query_camera, query.size)
    ):
        match_camera = query_camera = None
    calibrated = match_camera is not None and query_camera is not None
    model = "essential" if calibrated else "fundamental"
    if len(pairs) < MIN_POINTS:
        return Geometry(model, len(pairs), 0, 0.0)
    if match_camera is None or query_camera is None:
        tolerance = TOLERANCE / PICTURE_SIDE * max(*match.size, *query.size)
        _, inliers = _robust(
            cv2.findFundamentalMat, first, second, cv2.USAC_MAGSAC, tolerance, CONFIDENCE
        )
        return _counted(model, match, query, pairs, inliers)
    tolerance = (
        TOLERANCE
        / PICTURE_SIDE
        * max(
            max(match.size) / focal(match_camera, match.size),
            max(query.size) / focal(query_camera, query.size),
        )
    )
    seen = rays(match_camera, first, match.size)
    then = rays(query_camera, second, query.size)
    known = np.isfinite(seen).all(axis=1) & np.isfinite(then).all(axis=1)
    seen, then, rayed = seen[known], then[known], pairs[known]
    if len(rayed) < MIN_POINTS:
        return Geometry(model, len(pairs), 0, 0.0)
    essential, inliers = _robust(
        cv2.findEssentialMat, seen, then, np.eye(3), cv2.USAC_MAGSAC, CONFIDENCE, tolerance
    )
    plain = replace(_counted(model, match, query, rayed, inliers), matches=len(pairs))
    if plain.inliers < motion.MIN_POINTS or np.shape(essential) != (3, 3):
        return plain
    pixel = 1 / min(focal(match_camera, match.size), focal(query_camera, query.size))
    return _with_motion(plain, essential, _unit(seen), _unit(then), inliers, pixel)


def _robust(estimate: Any, first: Any, *arguments: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return what an estimator of OpenCV found, and which of the points [N, 2] agree with it."""
    try:
        found, mask = estimate(first, *arguments, maxIters=ITERATIONS)
    except cv2.error:  # some versions stumble over points that no model fits
        found, mask = None, None
    if found is None or mask is None:
        return None, np.zeros(len(first), bool)
    return found, np.asarray(mask).ravel() > 0


def _counted(
    model: str,
    match: Features,
    query: Features,
    pairs: NDArray[np.int64],
    inliers: NDArray[np.bool_],
) -> Geometry:
    agreeing = pairs[inliers]
    coverage = min(
        _coverage(match.points[agreeing[:, 0]], match.size),
        _coverage(query.points[agreeing[:, 1]], query.size),
    )
    return Geometry(model, len(pairs), len(agreeing), coverage)


def _coverage(points: NDArray[np.float32], size: tuple[int, int]) -> float:
    """Return the share of the picture's cells that points [N, 2] lie in."""
    at = np.clip(points / np.array(size) * _CELLS, 0, _CELLS - 1).astype(int)
    return len(np.unique(at[:, 0] * _CELLS + at[:, 1])) / _CELLS**2


def _matched(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return [K, 2] numbers of features that are each other's nearest, and clearly so."""
    if len(first) < 2 or len(second) < 2:
        return np.empty((0, 2), np.int64)
    cosines = second @ first.T
    rows = np.arange(len(second))
    nearest = cosines.argmax(axis=1)
    best = cosines[rows, nearest]
    mutual = cosines.argmax(axis=0)[nearest] == rows
    cosines[rows, nearest] = -1
    other = cosines.max(axis=1)
    # Of unit vectors: distance squared is 2 - 2 cosine.
    clear = (1 - best) < RATIO**2 * (1 - other)
    return np.stack([nearest, rows], axis=1)[mutual & clear]


def _with_motion(
    plain: Geometry,
    essential: Any,
    seen: NDArray[np.float64],
    then: NDArray[np.float64],
    inliers: NDArray[np.bool_],
    pixel: float,
) -> Geometry:
    """Add how the cameras stood, from unit vectors [N, 3] of the match and of the query.

    pixel: radians that one of theirs sees, the larger of the two.
    """
    found = motion.estimate(essential, seen, then, inliers, pixel)
    if not found.rotation_sigma <= MOST_ROTATION_SIGMA:
        return plain
    seen, then = seen[inliers], then[inliers]
    turned = replace(
        plain,
        rotation=_quaternion(found.rotation),
        parallax=round(motion.median_angle(seen, then @ found.rotation.T), 6),
        rotation_sigma=round(found.rotation_sigma, 6),
    )
    least = motion.median_angle(seen, then @ motion.rotation_between(then, seen).T)
    known = least >= LEAST_PARALLAX and found.direction_sigma <= MOST_DIRECTION_SIGMA
    if found.direction is None or not known:
        return turned
    x, y, z = (float(value) for value in found.direction)
    return replace(turned, direction=(x, y, z), direction_sigma=round(found.direction_sigma, 6))


def _unit(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    vectors = np.column_stack([rays, np.ones(len(rays))])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return x, y, z, w, w not negative, of a rotation matrix [3, 3]."""
    vector, _ = cv2.Rodrigues(rotation)
    axis = np.asarray(vector).ravel()
    angle = float(np.linalg.norm(axis))
    if angle < 1e-12:
        return 0.0, 0.0, 0.0, 1.0
    x, y, z = axis / angle * math.sin(angle / 2)
    return float(x), float(y), float(z), math.cos(angle / 2)
