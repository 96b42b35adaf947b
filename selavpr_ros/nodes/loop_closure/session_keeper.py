"""Where a session is saved: in the map that it extends, or in a map of its own.

A map without GPS lies in the frame of some drive's odometry, and that of this session begins
wherever the robot was switched on. So the session joins the map only once closures between the two
tell how the frames lie to each other; until then it is kept in a map of its own.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from selavpr_core.errors import MapError
from selavpr_ros.loop_closure.tie import Tie, tie
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # the package imports torch
    from selavpr_core.place_map import Autosave, PlaceMap, Session
    from selavpr_ros.loop_closure import Keyframe

_MOST_REMEMBERED = 500  # closures: as many as a tie uses


class SessionKeeper:
    """Saves the keyframes of a session; several threads may use it.

    After a jump back in time odometry may have begun anew, in another frame: what comes then is a
    run of its own, saved as a map of its own until it is tied to the map, too.

    Attributes:
        first: number of the run's first keyframe.
        where: folder that the run was saved to last; None before.
        unposed: keyframes of the run without odometry: in a map they lie in its origin, of unknown
            position.
    """

    def __init__(
        self,
        session: Session,
        place_map: PlaceMap | None,
        extend: bool,
        save_to: str,
        source: str,
        max_distance: float,
        max_angle: float,
    ) -> None:
        """Nothing is written yet.

        Args:
            session: what is saved.
            place_map: the map that the session finds itself in; None without.
            extend: whether the session joins that map once it is tied to it.
            save_to: folder of the session's own map; empty: beside place_map.
            source: where the places come from, for people who ask later.
            max_distance, max_angle: as for `tie`.
        """
        self._session = session
        self._map = place_map
        self._extend = extend
        self._save_to = save_to
        self._source = source
        self._bounds = max_distance, max_angle
        self._lock = threading.RLock()  # one save at a time
        self.where: Path | None = None
        self._saved_before = 0  # keyframes of earlier runs
        self._begin(0)

    def _begin(self, first: int) -> None:
        self.first = first
        self.unposed = 0
        self.tied: Tie | None = None
        self._pairs: list[tuple[PlanarPose, PlanarPose]] = []
        self._own: Autosave | None = None
        self._own_path: Path | None = None
        self._joined: Autosave | None = None

    @property
    def possible(self) -> bool:
        """Whether there is a folder to save to."""
        return bool(self._save_to) or self._map is not None

    @property
    def saved(self) -> int:
        """Keyframes of the session that are in a map."""
        saving = self._joined or self._own
        return self._saved_before + (0 if saving is None else saving.saved - self.first)

    def note(self, keyframe: Keyframe) -> bool:
        """Take a keyframe that was added; True where it ties the session to the map."""
        if keyframe.waypoint.pose is None:
            self.unposed += 1
        closure = keyframe.closure
        if closure is None or closure.segment is None:
            return False
        if closure.query.pose is not None and closure.match.pose is not None:
            self._pairs = [
                *self._pairs[1 - _MOST_REMEMBERED :],
                (closure.query.pose, closure.match.pose),
            ]
            before = self.tied
            self.tied = tie(self._pairs, *self._bounds) or self.tied
            return before is None and self.tied is not None
        return False

    def autosave(self) -> None:
        """Save what is new. Raises MapError where that is not possible."""
        with self._lock:
            if self.possible and len(self._session) > self.first:
                self._target().save()
                self._settle()

    def save(self) -> str:
        """Save the whole run as one segment and say where it is.

        Raises MapError where that is not possible, or there is nothing to save.
        """
        with self._lock:
            if not self.possible:
                raise MapError("nowhere to save to: set the parameter save_to to a folder")
            count = len(self._session) - self.first
            if not count:
                raise MapError("there is no keyframe yet: drive on")
            info = self._target().finish()
            assert info is not None  # there are places
            self._settle()
            told = f"saved {info.count} keyframes as segment {info.name} of {self.where}"
            return f"{told}{self._reservations()}"

    def begin_run(self) -> None:
        """Save the run so far, after which time jumped back, and begin the next.

        Raises MapError where it could not be saved; the next run begins all the same.
        """
        with self._lock:
            try:
                if self.possible and len(self._session) > self.first:
                    self._target().finish()
                    self._settle()
            finally:
                self._saved_before = self.saved
                self._begin(len(self._session))

    def _reservations(self) -> str:
        said = ""
        if self._map is not None and self._extend and self._joined is None:
            if self.unposed:
                why = "keyframes without odometry cannot be placed in it"
            else:
                why = (
                    f"{len(self._pairs)} verified closures do not tell yet how the session lies "
                    "in it"
                )
            said = f", a map of its own beside {self._map.path}: {why}"
        if self.unposed:
            said += f"; {self.unposed} of them have no position, for lack of odometry"
        return said

    def _target(self) -> Autosave:
        """Return what saves the run now."""
        from selavpr_core.place_map import Autosave

        first_stamp = int(self._session.stamps[self.first]) / 1e9
        name = f"session_{datetime.fromtimestamp(first_stamp, timezone.utc):%Y%m%d_%H%M%S}"
        joins = self._extend and self.tied is not None and not self.unposed
        if self._joined is None and joins:
            assert self.tied is not None
            assert self._map is not None  # the session is tied to it
            self._joined = Autosave(
                self._session,
                self._map.path,
                name,
                self._source,
                self._map.datum,
                self.tied.transform,
                self.first,
            )
        if self._joined is not None:
            assert self.tied is not None
            self._joined.transform = self.tied.transform  # known better with each closure
            return self._joined
        if self._own is None:
            self._own_path = self._free_folder()
            self._own = Autosave(
                self._session, self._own_path, name, self._source, first=self.first
            )
        return self._own

    def _settle(self) -> None:
        """Remember where the run is; a map of its own that the joined map stands for goes."""
        if self._joined is None:
            self.where = self._own_path
            return
        assert self._map is not None
        self.where = self._map.path
        if self._own is not None and self._own_path is not None:
            if _places(self._own_path) == self._own.saved - self.first:  # nobody added to it
                with suppress(OSError):
                    shutil.rmtree(self._own_path)
            self._own = self._own_path = None

    def _free_folder(self) -> Path:
        """Return a folder that does not exist yet."""
        if self._save_to:
            wanted = Path(os.path.expanduser(self._save_to))
        else:
            assert self._map is not None  # else nothing is saved
            beside = self._map.path.resolve()
            wanted = beside.with_name(f"{beside.name}-session")
        path, number = wanted, 1
        while path.exists():
            number += 1
            path = wanted.with_name(f"{wanted.name}-{number}")
        return path


def _places(path: Path) -> int | None:
    """Return how many places the map in a folder has; None where it cannot be told."""
    from selavpr_core.place_map import read_manifest

    try:
        return read_manifest(path).count
    except MapError:
        return None
