"""Flat pieces of the world: a picture stretched over a parallelogram."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.streets.materials import Colour, Image

Points = NDArray[np.float64]
Painter = Callable[[], tuple[Image, Image | None]]


class Texture:
    """A picture that is painted when it is first looked at.

    `image` is RGB or RGBA uint8 [H, W, 3 | 4] (alpha below 128 is a hole), `glow` the RGB light
    [H, W, 3] that it gives off when lamps are lit, or None.
    """

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    @cached_property
    def _painted(self) -> tuple[Image, Image | None]:
        return self._painter()

    @property
    def image(self) -> Image:
        """The colours by neutral light."""
        return self._painted[0]

    @property
    def glow(self) -> Image | None:
        """The light of its own."""
        return self._painted[1]


def plain(colour: Colour) -> Texture:
    """A texture of one colour."""
    return Texture(lambda: (np.full((8, 8, 3), colour, np.uint8), None))


class Surface:
    """A texture over the parallelogram origin, origin + u, origin + u + v, origin + v (metres).

    u runs along the picture's rows, v down its columns; the side from which the picture is seen
    the right way round faces the direction v x u. `outline` [K, 2] cuts a convex or stepped shape
    out of it, in shares of u and v. `takes_shadows` is for surfaces large enough to show the
    edge of a shadow.
    """

    def __init__(
        self,
        texture: Texture,
        origin: ArrayLike,
        u: ArrayLike,
        v: ArrayLike,
        outline: Sequence[tuple[float, float]] | None = None,
        takes_shadows: bool = False,
        two_sided: bool = False,
    ) -> None:
        self.texture = texture
        self.origin = np.asarray(origin, float)
        self.u = np.asarray(u, float)
        self.v = np.asarray(v, float)
        square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
        self.outline = np.asarray(square if outline is None else outline, float)
        self.takes_shadows = takes_shadows
        self.two_sided = two_sided

    @cached_property
    def normal(self) -> Points:
        """Unit vector [3] of the side that is seen."""
        (a, b, c), (d, e, f) = self.v, self.u  # numpy's cross is slow for a single pair
        across = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
        return np.asarray(across / np.sqrt(across @ across))

    @cached_property
    def corners(self) -> Points:
        """The parallelogram's corners [4, 3], around it."""
        return np.array(
            [self.origin, self.origin + self.u, self.origin + self.u + self.v, self.origin + self.v]
        )

    @cached_property
    def shape(self) -> Points:
        """The outline's corners [K, 3] in the map frame."""
        return np.asarray(self.origin + self.outline[:, :1] * self.u + self.outline[:, 1:] * self.v)


def quad(
    texture: Texture,
    upper_left: ArrayLike,
    upper_right: ArrayLike,
    lower_left: ArrayLike,
    takes_shadows: bool = False,
    two_sided: bool = False,
) -> Surface:
    """The surface with these three corners, named as its viewer sees them."""
    origin = np.asarray(upper_left, float)
    return Surface(
        texture,
        origin,
        np.asarray(upper_right, float) - origin,
        np.asarray(lower_left, float) - origin,
        takes_shadows=takes_shadows,
        two_sided=two_sided,
    )
