"""Where the camera was: positions between fixes, and when they must not be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NANOSECONDS = 1e-9


class Drop(Enum):
    """Why a frame has no position."""

    NO_FIX = "no_fix"
    COVARIANCE = "covariance"
    GAP = "gap"
    OUTSIDE = "outside_track"


class Location(NamedTuple):
    """An interpolated position: `position` [3] metres in the map frame, `sigma` metres."""

    position: NDArray[np.float64]
    sigma: float


@dataclass(frozen=True)
class Track:
    """Positions over time, and the moments at which the receiver gave none that can be used.

    Attributes:
        stamps: [N] int64 ns, strictly increasing.
        positions: [N, 3] float64 metres in the map frame.
        sigmas: [N] float64 metres, horizontal standard deviation.
        fault_stamps: [M] int64 ns, increasing: messages without a usable position.
        faults: [M] why each of them was not usable.
    """

    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    fault_stamps: NDArray[np.int64]
    faults: tuple[Drop, ...]

    @classmethod
    def of(
        cls,
        stamps: NDArray[np.int64],
        positions: NDArray[np.float64],
        sigmas: NDArray[np.float64],
        max_sigma: float,
    ) -> Track:
        """Sort messages into the track and its faults.

        Args:
            stamps: [K] ns, strictly increasing.
            positions: [K, 3] metres, NaN where the receiver had no fix.
            sigmas: [K] metres.
            max_sigma: metres; less certain positions are faults.
        """
        fixed: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(axis=1))
        good = fixed & (sigmas <= max_sigma)
        return cls(
            stamps[good],
            positions[good],
            sigmas[good],
            stamps[~good],
            tuple(Drop.COVARIANCE if known else Drop.NO_FIX for known in fixed[~good]),
        )

    def __len__(self) -> int:
        return len(self.stamps)

    def locate(self, stamp: int, max_gap: float) -> Location | Drop:
        """Interpolate the position at a stamp (ns) linearly between its two neighbours in time.

        Nothing is extrapolated or clamped: outside the track, or between neighbours more than
        `max_gap` seconds apart, the reason is returned instead. Where unusable messages lie in
        that gap, the nearest of them is the reason.
        """
        after = int(np.searchsorted(self.stamps, stamp))
        if after < len(self) and self.stamps[after] == stamp:
            return Location(self.positions[after], float(self.sigmas[after]))
        if after in (0, len(self)):
            return self._fault_near(stamp, outside=True) or Drop.OUTSIDE
        begin, end = int(self.stamps[after - 1]), int(self.stamps[after])
        if (end - begin) * NANOSECONDS > max_gap:
            return self._fault_near(stamp, outside=False) or Drop.GAP
        share = (stamp - begin) / (end - begin)
        position = (1 - share) * self.positions[after - 1] + share * self.positions[after]
        sigma = (1 - share) * self.sigmas[after - 1] + share * self.sigmas[after]
        return Location(position, float(sigma))

    def at(self, stamps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return [K, 3] x, y and sigma at stamps [K] ns, whatever the gaps; the ends are held."""
        # Only the part around the stamps is touched: a frame's cost must not grow with the track.
        begin = max(int(np.searchsorted(self.stamps, stamps.min())) - 1, 0)
        end = int(np.searchsorted(self.stamps, stamps.max())) + 1
        near = self.stamps[begin:end]
        times = (near - near[0]).astype(np.float64)
        wanted = (stamps - near[0]).astype(np.float64)
        columns = (
            self.positions[begin:end, 0],
            self.positions[begin:end, 1],
            self.sigmas[begin:end],
        )
        return np.stack([np.interp(wanted, times, column) for column in columns], axis=-1)

    def length(self) -> float:
        """Metres travelled horizontally; steps shorter than the positions' sigma are noise."""
        if not len(self):
            return 0.0
        total, corner = 0.0, self.positions[0, :2]
        for position, sigma in zip(self.positions[1:, :2], self.sigmas[1:], strict=True):
            step = float(np.hypot(*(position - corner)))
            if step > sigma:
                total += step
                corner = position
        return total

    def _fault_near(self, stamp: int, outside: bool) -> Drop | None:
        """Reason of the nearest fault in the same gap, or None where there is none.

        Outside the track a fault counts when it lies on the far side of the stamp: messages came
        at that time, but none could be used. Without one, nothing was recorded there at all.
        """
        after = int(np.searchsorted(self.stamps, stamp))
        begin = self.stamps[after - 1] if after > 0 else None
        end = self.stamps[after] if after < len(self) else None
        inside = np.ones(len(self.faults), dtype=bool)
        if begin is not None:
            inside &= self.fault_stamps > begin
        if end is not None:
            inside &= self.fault_stamps < end
        if outside and begin is None:
            inside &= bool((self.fault_stamps <= stamp).any())
        if outside and end is None:
            inside &= bool((self.fault_stamps >= stamp).any())
        candidates = np.flatnonzero(inside)
        if not len(candidates):
            return None
        distances = np.abs(self.fault_stamps[candidates] - stamp)
        return self.faults[int(candidates[np.argmin(distances)])]
