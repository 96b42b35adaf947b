"""Which camera took the pictures of a drive's places."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from selavpr_core.camera import CameraModel


class CameraRuns:
    """The cameras of places that come one by one: a drive has one, or few in turn.

    Kept are only the places from which on the camera is another one.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._cameras: list[CameraModel | None] = []

    def put(self, number: int, camera: CameraModel | None) -> None:
        """Set the camera of place `number`, the next one; what was said of it before is gone."""
        known = bisect_left(self._starts, number)
        del self._starts[known:], self._cameras[known:]
        if not known or self._cameras[-1] != camera:
            self._starts.append(number)
            self._cameras.append(camera)

    def of(self, number: int) -> CameraModel | None:
        """Return the camera of a place that was put; None where it is unknown."""
        return self._cameras[bisect_right(self._starts, number) - 1]

    def one_of(self, first: int, stop: int) -> CameraModel | None:
        """Return the camera of all places [first, stop), at least one; None if there is no such.

        Places whose camera is not known yet have the one that is known after them: a drive often
        begins a moment before its first camera_info.
        """
        begin = bisect_right(self._starts, first) - 1
        cameras = self._cameras[begin : bisect_left(self._starts, stop)]
        known = cameras[1:] if cameras[0] is None else cameras
        return known[0] if len(known) == 1 else None
