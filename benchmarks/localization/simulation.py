"""Made-up maps, drives and similarities: what the filter can be held against at any size.

The similarity of an image with a place falls with the distance and the angle between the two
views. What the right places reach comes and goes as light and scene do along the way; places of a
look-alike cluster are nearly as alike as the right one; all else is noise about the level of wrong
places, shared by neighbouring places and by images that follow each other. Nothing here knows the
filter's own model of similarities.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """A drive: positions `[N, 3]` metres and headings `[N]` radians, evenly spaced."""

    positions: Array
    headings: Array


def winding(length: float, step: float, seed: int) -> Track:
    """A road of `length` metres that winds by chance, and may cross itself."""
    rng = np.random.default_rng([seed, 1])
    count = round(length / step)
    # Curvature wanders over about 60 m, up to a turn of 20 m radius.
    bends = rng.normal(0.0, 0.012, count)
    width = max(1, round(60.0 / step))
    kernel = np.hanning(2 * width + 1)
    bends = np.convolve(bends, kernel / np.sqrt((kernel**2).sum()), "same")
    headings = np.cumsum(bends * step) + rng.uniform(-np.pi, np.pi)
    steps = step * np.column_stack([np.cos(headings), np.sin(headings)])
    flat = np.cumsum(steps, axis=0)
    wrapped = (headings + np.pi) % (2 * np.pi) - np.pi
    return Track(np.column_stack([flat, np.zeros(count)]), wrapped)


def beside(track: Track, offset: float) -> Track:
    """The same drive `offset` metres to the left."""
    left = np.column_stack([-np.sin(track.headings), np.cos(track.headings), 0 * track.headings])
    return Track(track.positions + offset * left, track.headings)


def reversed_track(track: Track) -> Track:
    """The same way back."""
    headings = (track.headings[::-1] + 2 * np.pi) % (2 * np.pi) - np.pi
    return Track(track.positions[::-1], headings)


@dataclass
class Camera:
    """Makes up the similarities of images with the places of a map.

    right, wrong: similarity of the same view and of any other. reach: metres over which a view
    changes; turn: radians. noise: standard deviation of a similarity. clusters `[N]`: number of
    each place's look-alikes, -1 for none. alike: similarity that look-alikes have on top of wrong
    ones, as a share of what the right place has. fading: standard deviation of what the right
    places lose and gain as scene and light change along the way; patch: metres that noise goes on.
    """

    positions: Array
    headings: Array
    seed: int
    right: float = 0.75
    wrong: float = 0.3
    reach: float = 6.0
    turn: float = 0.35
    noise: float = 0.06
    fading: float = 0.1
    patch: float = 8.0
    clusters: NDArray[np.int64] | None = None
    alike: float = 0.9
    listed: int = 100
    _state: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.seed, 2])

    def look(
        self, position: Array, heading: float, moved: float
    ) -> tuple[NDArray[np.int64], Array]:
        """Places [K] and similarities [K], best first, of an image taken `moved` metres on."""
        rng = self._rng
        count = len(self.positions)
        offsets = self.positions[:, :2] - position[:2]
        distances = np.hypot(offsets[:, 0], offsets[:, 1])
        turns = np.angle(np.exp(1j * (np.nan_to_num(self.headings, nan=heading) - heading)))
        nearness = np.exp(-0.5 * (distances / self.reach) ** 2 - 0.5 * (turns / self.turn) ** 2)
        stays = np.exp(-moved / self.patch)
        noise = self._noise(rng.standard_normal(count))
        if "noise" in self._state:
            noise = stays * self._state["noise"] + np.sqrt(1 - stays**2) * noise
        fade = rng.standard_normal(1) * self.fading
        if "fade" in self._state:
            fade = stays * self._state["fade"] + np.sqrt(1 - stays**2) * fade
        self._state = {"noise": noise, "fade": fade}
        if self.clusters is not None:
            seen = self.clusters[int(np.argmax(nearness))]
            if seen >= 0 and nearness.max() > 0.3:
                twins = self.clusters == seen
                nearness = np.where(
                    twins, np.maximum(nearness, self.alike * nearness.max()), nearness
                )
        peak = self.right - self.wrong + float(fade[0])
        flicker = 0.3 * self.noise * rng.standard_normal(count)
        similarities = self.wrong + peak * nearness + self.noise * noise + flicker
        listed = np.argsort(-similarities, kind="stable")[: self.listed]
        return listed, np.clip(similarities[listed], -1, 1)

    def _noise(self, white: Array) -> Array:
        """Noise that neighbouring places of a drive share over about three places."""
        kernel = np.array([0.5, 1.0, 0.5]) / np.sqrt(1.5)
        return np.convolve(white, kernel, "same")


def drifting(
    positions: Array, headings: Array, seed: int, scale: float = 0.02, drift: float = 0.001
) -> list[tuple[float, float, float]]:
    """Odometry (x, y, yaw) along true poses: a constant error of scale, and a yaw that wanders.

    scale: standard deviation of the share by which all ways are wrong. drift: radians a metre.
    """
    rng = np.random.default_rng([seed, 3])
    gain = 1.0 + scale * rng.standard_normal()
    bias = drift * rng.standard_normal()
    poses = [(0.0, 0.0, 0.0)]
    for before, after, yaw, turned in zip(
        positions[:-1], positions[1:], headings[:-1], headings[1:], strict=True
    ):
        x, y, own = poses[-1]
        offset = (after - before)[:2]
        way = float(np.hypot(*offset))
        cos, sin = np.cos(own - yaw), np.sin(own - yaw)
        step = gain * offset * (1 + 0.02 * rng.standard_normal())
        turn = float(np.angle(np.exp(1j * (turned - yaw)))) + way * bias
        turn += 0.002 * np.sqrt(way) * rng.standard_normal()
        poses.append(
            (x + cos * step[0] - sin * step[1], y + sin * step[0] + cos * step[1], own + turn)
        )
    return poses
