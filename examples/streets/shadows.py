"""Where the sun does not reach: shadows of walls, trees and cars, cast as polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.cars import Car
from examples.streets.furniture import Thing, Tree
from examples.streets.light import Light
from examples.streets.people import Person
from examples.streets.sprites import width_share
from examples.streets.surfaces import Surface

Points = NDArray[np.float64]

# How much of the sun a crown lets through, by the season of the light.
CROWN_SHADE = {"spring": 0.6, "summer": 0.85, "autumn": 0.7, "winter": 0.25}
_REACH = 70.0  # metres; a shadow is not followed farther than this


def on_ground(walls: Points, cars: Sequence[Car], light: Light) -> Iterator[Points]:
    """Polygons [K, 2] of the ground that walls [W, 4, 3] and cars keep the sun from."""
    fall = -light.to_sun[:2] / light.to_sun[2]
    for wall in walls:
        base, top = wall[:2, :2], wall[2:, :2] + wall[2:, 2:] * fall
        yield np.concatenate([base, top])
    for car in cars:
        top = 0.85 * (car.footprint - [car.x, car.y]) + [car.x, car.y] + car.height * fall
        yield cv2.convexHull(
            np.concatenate([car.footprint, top]).astype(np.float32)
        )[:, 0].astype(float)  # fmt: skip


def of_crowns(trees: Sequence[Tree], light: Light) -> Iterator[Points]:
    """Polygons [K, 2] of the ground under the trees' crowns as the sun sees them."""
    fall = -light.to_sun[:2] / light.to_sun[2]
    along = fall / max(float(np.linalg.norm(fall)), 1e-9)
    turn = np.linspace(0, 2 * np.pi, 11, endpoint=False)
    for tree in trees:
        radius = 0.43 * width_share(tree.species) * tree.height
        centre = np.array([tree.x, tree.y]) + 0.66 * tree.height * fall
        stretch = radius * np.hypot(1.0, 0.8 * float(np.linalg.norm(fall)))
        across = np.array([-along[1], along[0]])
        wobble = 1 + 0.14 * np.sin(3 * turn + tree.variant) + 0.08 * np.cos(5 * turn)
        ring = (
            centre
            + (stretch * wobble * np.cos(turn))[:, None] * along
            + (radius * wobble * np.sin(turn))[:, None] * across
        )
        yield ring


def of_posts(things: Sequence[Thing | Person], light: Light) -> Iterator[Points]:
    """Polygons [4, 2] of the ground in the shadow of furniture and people."""
    fall = -light.to_sun[:2] / light.to_sun[2]
    along = fall / max(float(np.linalg.norm(fall)), 1e-9)
    across = np.array([-along[1], along[0]])
    for thing in things:
        half = 0.5 * min(0.5 * thing.width, 0.35 if thing.height < 2 else 0.12) * across
        foot = np.array([thing.x, thing.y])
        tip = foot + thing.height * fall
        yield np.array([foot - half, foot + half, tip + half, tip - half])


def on_surface(surface: Surface, walls: Points, light: Light, size: tuple[int, int]) -> (
    NDArray[np.float32]
):  # fmt: skip
    """The share of the sun that walls keep from a surface: 0..1, [H, W] for `size` = (H, W)."""
    height, width = size
    shade = np.zeros((height, width), np.uint8)
    frame = np.stack([surface.u, surface.v, light.to_sun], axis=1)
    near = _near(surface, walls, light)
    if len(near) == 0:
        return shade.astype(np.float32)
    # Each corner as origin + a u + b v + t sun: (a, b) is where its shadow falls, t how far off.
    cast = (near - surface.origin) @ np.linalg.inv(frame).T
    a, b, t = cast[..., 0], cast[..., 1], cast[..., 2]
    hits = (
        (t.max(axis=1) > 0.3)
        & (a.max(axis=1) > 0) & (a.min(axis=1) < 1)
        & (b.max(axis=1) > 0) & (b.min(axis=1) < 1)
    )  # fmt: skip
    for polygon in cast[hits]:
        kept = _above(polygon, 0.05)
        if len(kept) >= 3:
            scaled = kept[:, :2] * [width, height]
            cv2.fillConvexPoly(shade, np.round(np.clip(scaled, -8000, 8000)).astype(np.int32), 255)
    soft = cv2.GaussianBlur(shade, (0, 0), 3.0)
    return np.asarray(soft / np.float32(255), np.float32)


def sunlit(points: Points, walls: Points, light: Light) -> NDArray[np.bool_]:
    """Whether the sun reaches each of the points [N, 3]."""
    lit = np.ones(len(points), bool)
    if not light.casts_shadows or len(walls) == 0:
        return np.full(len(points), light.casts_shadows)
    origin, u, v = walls[:, 0], walls[:, 1] - walls[:, 0], walls[:, 3] - walls[:, 0]
    normal: Points = np.asarray(np.cross(u, v), np.float64)
    slope: Points = normal @ light.to_sun
    usable = np.abs(slope) > 1e-9
    origin, u, v, normal, slope = (x[usable] for x in (origin, u, v, normal, slope))
    for start in range(0, len(points), 64):
        some = points[start : start + 64, None]
        t = np.sum((origin - some) * normal, axis=-1) / slope
        at = some + t[..., None] * light.to_sun - origin
        a = np.sum(at * u, axis=-1) / np.sum(u * u, axis=-1)
        b = np.sum(at * v, axis=-1) / np.sum(v * v, axis=-1)
        hit = (t > 0.05) & (t < 2 * _REACH) & (a > 0) & (a < 1) & (b > 0) & (b < 1)
        lit[start : start + 64] = ~hit.any(axis=1)
    return lit


def _near(surface: Surface, walls: Points, light: Light) -> Points:
    """The walls that stand towards the sun and near enough to matter."""
    if len(walls) == 0:
        return walls
    centre = surface.origin + 0.5 * (surface.u + surface.v)
    towards = light.to_sun[:2] / max(float(np.linalg.norm(light.to_sun[:2])), 1e-9)
    offset = walls[:, :, :2].mean(axis=1) - centre[:2]
    along = offset @ towards
    across = np.abs(offset @ np.array([-towards[1], towards[0]]))
    return np.asarray(walls[(along > -6) & (along < _REACH) & (across < 30)])


def _above(polygon: Points, limit: float) -> Points:
    """The part of a polygon [K, 3] whose third coordinate is above the limit."""
    out: list[Points] = []
    for this, after in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if this[2] > limit:
            out.append(this)
        if (this[2] > limit) != (after[2] > limit):
            out.append(this + (limit - this[2]) / (after[2] - this[2]) * (after - this))
    return np.array(out)
