"""Which camera took the pictures of a drive's places."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from selavpr_core.camera import CameraModel

Size = tuple[int, int]


class CameraRuns:
    """The cameras of places that come one by one: a drive has one, or few in turn.

    Kept are only the places from which on the camera, or the size of its pictures, is another one.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._cameras: list[tuple[CameraModel | None, Size | None]] = []

    def put(self, number: int, camera: CameraModel | None, size: Size | None = None) -> None:
        """Set the camera of place `number`, the next one; what was said of it before is gone.

        size: (width, height) in pixels of the place's picture; None if unknown.
        """
        known = bisect_left(self._starts, number)
        del self._starts[known:], self._cameras[known:]
        if not known or self._cameras[-1] != (camera, size):
            self._starts.append(number)
            self._cameras.append((camera, size))

    def of(self, number: int) -> CameraModel | None:
        """Return the camera of a place that was put; None where it is unknown."""
        return self._cameras[bisect_right(self._starts, number) - 1][0]

    def one_of(self, first: int, stop: int) -> CameraModel | None:
        """Return the camera of all places [first, stop), at least one; None if there is no such.

        Places whose camera is not known yet have the one that is known after them, if their
        pictures can be its: a drive often begins a moment before its first camera_info.
        """
        begin = bisect_right(self._starts, first) - 1
        runs = self._cameras[begin : bisect_left(self._starts, stop)]
        before = next((n for n, (camera, _) in enumerate(runs) if camera is not None), len(runs))
        cameras = {camera for camera, _ in runs[before:]}
        if len(cameras) != 1:
            return None
        (camera,) = cameras
        assert camera is not None
        fits = all(size is not None and camera.fits(size) for _, size in runs[:before])
        return camera if fits else None
