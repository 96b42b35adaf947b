"""What a camera sees of a world in some light: every frame from geometry, with a depth buffer.

Flat surfaces are drawn from near to far through the homography that takes their texture to the
image; each pixel keeps the nearest. The ground is intersected pixel by pixel, the sky comes from a
panorama, trees and street furniture stand as pictures turned towards the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import cars as car_shapes
from examples.streets import materials, shadows, sky, sprites
from examples.streets.camera import Camera
from examples.streets.cars import Car
from examples.streets.light import Light
from examples.streets.materials import Image
from examples.streets.surfaces import Surface, Texture
from examples.streets.world import World

Points = NDArray[np.float64]

NEAR, FAR = 0.25, 420.0  # metres
_TILE = 512  # pixels of a ground tile's side
_TILE_METRES = 8.0
_MIDDLE_GREY = 106.0  # mean level that the automatic exposure aims at
_CONTACT = 0.45  # light that is left under a car


class Renderer:
    """Renders one world in one light with one set of parked cars.

    Textures are lit when a surface is first seen and kept; a renderer is not thread-safe.
    """

    def __init__(self, world: World, light: Light, cars: Sequence[Car] = ()) -> None:
        self.world = world
        self.light = light
        self._surfaces = [*world.surfaces]
        sunlit_cars = shadows.sunlit(
            np.array([[car.x, car.y, 1.0] for car in cars]).reshape(-1, 3), world.walls, light
        )
        self._sunlit: dict[int, bool] = {}
        for car, lit in zip(cars, sunlit_cars, strict=True):
            made = car_shapes.surfaces(car)
            self._surfaces += made
            self._sunlit.update((id(surface), bool(lit)) for surface in made)
        self._mesh = _Mesh(self._surfaces)
        self._lit: dict[object, Image] = {}
        self._levels: dict[tuple[object, int, int], Image] = {}
        self._sprites = _sprites(world, light)
        self._sprite_feet = np.array(
            [[sprite.x, sprite.y, 0.5 * sprite.height] for sprite in self._sprites]
        ).reshape(-1, 3)
        self._sprite_sizes = np.array(
            [[sprite.width, sprite.height] for sprite in self._sprites]
        ).reshape(-1, 2)
        self._ground = _Ground(world, light, cars)
        self._sky = sky.panorama(light, world.seed)
        grain = np.random.default_rng([60, light.seed]).standard_normal((1024, 1024))
        self._grain = (grain * light.grain).astype(np.float32)

    def image(self, camera: Camera) -> Image:
        """The camera's picture, RGB uint8 [H, W, 3]; the same every time it is asked for."""
        colour, inverse_depth = self.draw(camera)
        return self._develop(camera, colour, inverse_depth)

    def draw(self, camera: Camera) -> tuple[Image, NDArray[np.float32]]:
        """Colours [H, W, 3] before haze and grain, and 1 / depth in 1/m [H, W] (0: the sky)."""
        colour = sky.view(self._sky, camera)
        inverse_depth = np.zeros((camera.height, camera.width), np.float32)
        ground = self._ground.draw(camera, colour)
        for index, (x0, y0, x1, y1), nearest in self._mesh.visible(camera):
            if float(inverse_depth[y0:y1, x0:x1].min()) < nearest:  # else it is hidden
                self._draw_surface(camera, self._surfaces[index], colour, inverse_depth)
        for sprite in self._sprites_in_view(camera, inverse_depth):
            self._draw_sprite(camera, sprite, colour, inverse_depth)
        np.maximum(inverse_depth, ground, out=inverse_depth)
        return colour, inverse_depth

    def _develop(self, camera: Camera, colour: Image, inverse_depth: NDArray[np.float32]) -> Image:
        """Haze, lens and sensor."""
        clear = np.exp(-1.0 / (np.maximum(inverse_depth, 1e-4) * self.light.haze_range))
        clear[inverse_depth <= 0] = 1.0
        haze = np.asarray(self.light.horizon, np.float32)
        picture = colour.astype(np.float32)
        picture -= haze
        picture *= clear[..., None]
        picture += haze
        gain = _automatic_gain(picture)
        cv2.GaussianBlur(picture, (3, 3), 0.55, dst=picture)
        y = np.linspace(-1, 1, camera.height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, camera.width, dtype=np.float32)[None, :]
        vignette = 1 - 0.07 * (x * x + y * y)
        pose = np.round(np.append(camera.position, camera.yaw) * 1e4).astype(np.int64)
        roll = np.random.default_rng(np.abs(pose)).integers(0, 1024 - 1, 2)
        rows, columns = np.arange(camera.height), np.arange(camera.width)
        grain = self._grain[(rows + roll[0]) % 1024][:, (columns + roll[1]) % 1024]
        picture *= vignette[..., None] * gain
        picture += grain[..., None] * np.float32(gain.mean())
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _texture(self, surface: Surface) -> tuple[object, Image]:
        """A surface's texture in this light, and the key under which its levels are kept."""
        light = self.light
        facing = float(surface.normal @ light.to_sun) if light.casts_shadows else 0.0
        if surface.two_sided:
            facing = abs(facing)
        facing = max(0.0, facing)
        if surface.takes_shadows and facing > 0:
            key: object = id(surface)
        else:
            if facing > 0 and not self._is_sunlit(surface):
                facing = 0.0
            facing = round(facing, 1)
            key = (id(surface.texture), facing, round(float(surface.normal[2]), 1))
        lit = self._lit.get(key)
        if lit is None:
            image = surface.texture.image
            above = 0.8 + 0.2 * float(surface.normal[2])  # a wall sees half of the sky
            gain = above * np.asarray(light.sky_light, np.float32)
            sun = facing * np.asarray(light.sun_light, np.float32)
            if surface.takes_shadows and facing > 0:
                size = (image.shape[0], image.shape[1])
                shade = shadows.on_surface(surface, self.world.walls, light, size)
                gain = gain + sun * (1 - shade[..., None])
            else:
                gain = gain + sun
            lit = _lit(surface.texture, gain, light.lamps)
            self._lit[key] = lit
        return key, lit

    def _is_sunlit(self, surface: Surface) -> bool:
        known = self._sunlit.get(id(surface))
        if known is None:
            centre = surface.origin + 0.5 * (surface.u + surface.v) + 0.1 * surface.normal
            known = bool(shadows.sunlit(centre[None], self.world.walls, self.light)[0])
            self._sunlit[id(surface)] = known
        return known

    def _level(self, key: object, image: Image, across: int, down: int) -> Image:
        """The texture at 1 / 2**across of its width and 1 / 2**down of its height."""
        if across == 0 and down == 0:
            return image
        kept = self._levels.get((key, across, down))
        if kept is None:
            height, width = image.shape[:2]
            size = (max(1, width >> across), max(1, height >> down))
            kept = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._levels[key, across, down] = kept
        return kept

    def _draw_surface(
        self,
        camera: Camera,
        surface: Surface,
        colour: Image,
        inverse_depth: NDArray[np.float32],
    ) -> None:
        patch = _project(camera, surface.shape, surface.normal)
        if patch is None:
            return
        polygon, (x0, y0, x1, y1), plane = patch
        behind = inverse_depth[y0:y1, x0:x1]
        depth = _plane(plane, x0, y0, x1, y1)
        mask = np.zeros(depth.shape, np.uint8)
        cv2.fillPoly(
            mask, [np.round((polygon - [x0, y0]) * 16).astype(np.int32)], 255, cv2.LINE_8, 4
        )
        mask[depth <= behind] = 0
        if not mask.any():
            return
        key, image = self._texture(surface)
        warped = self._warp(camera, surface, key, image, (x0, y0, x1, y1), polygon.mean(axis=0))
        if warped.shape[2] == 4:
            mask[warped[..., 3] < 128] = 0
        cv2.copyTo(np.ascontiguousarray(warped[..., :3]), mask, colour[y0:y1, x0:x1])
        cv2.copyTo(depth, mask, behind)

    def _warp(
        self,
        camera: Camera,
        surface: Surface,
        key: object,
        image: Image,
        box: tuple[int, int, int, int],
        at: Points,
    ) -> Image:
        """The texture as the camera sees it in a box of the image; sharpness chosen at `at`."""
        rotation = camera.rotation
        u, v = rotation @ surface.u, rotation @ surface.v
        origin = rotation @ (surface.origin - camera.position)
        unit = np.linalg.inv(camera.intrinsics @ np.stack([u, v, origin], axis=1))
        # d(texture)/d(pixel) at one point tells how much finer the texture is than the image.
        a, b, c = unit @ np.array([at[0], at[1], 1.0])
        du = np.hypot(unit[0, 0] * c - unit[2, 0] * a, unit[0, 1] * c - unit[2, 1] * a) / c**2
        dv = np.hypot(unit[1, 0] * c - unit[2, 0] * b, unit[1, 1] * c - unit[2, 1] * b) / c**2
        height, width = image.shape[:2]
        across = int(np.clip(np.round(np.log2(max(du * width, 1e-6)) - 0.2), 0, 7))
        down = int(np.clip(np.round(np.log2(max(dv * height, 1e-6)) - 0.2), 0, 7))
        level = self._level(key, image, across, down)
        rows, columns = level.shape[:2]
        to_pixels = np.array([[columns, 0, -0.5], [0, rows, -0.5], [0, 0, 1.0]])
        x0, y0, x1, y1 = box
        shift = np.array([[1.0, 0, x0], [0, 1.0, y0], [0, 0, 1.0]])
        warped = cv2.warpPerspective(
            level, to_pixels @ unit @ shift, (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(warped, np.uint8)

    def _sprites_in_view(self, camera: Camera, inverse_depth: NDArray[np.float32]) -> list[_Sprite]:
        """Sprites that the surfaces drawn so far leave something of to see, far ones first."""
        optical = camera.to_optical(self._sprite_feet)
        depth = np.maximum(optical[:, 2], 1e-3)
        middle = camera.focal * optical[:, :2] / depth[:, None] + [
            0.5 * camera.width, 0.5 * camera.height
        ]  # fmt: skip
        half = 0.5 * camera.focal * self._sprite_sizes / depth[:, None] + 2
        low = np.clip(middle - half, 0, [camera.width, camera.height]).astype(int)
        high = np.clip(middle + half, 0, [camera.width, camera.height]).astype(int)
        wanted = (
            (optical[:, 2] > 0.6)
            & (depth < 0.6 * FAR)
            & (high > low).all(axis=1)
            & (half[:, 1] > 3.5)
        )
        out = []
        for index in np.flatnonzero(wanted)[np.argsort(-depth[wanted])]:
            (x0, y0), (x1, y1) = low[index], high[index]
            if float(inverse_depth[y0:y1, x0:x1].min()) * depth[index] < 1:
                out.append(self._sprites[index])
        return out

    def _draw_sprite(
        self, camera: Camera, sprite: _Sprite, colour: Image, inverse_depth: NDArray[np.float32]
    ) -> None:
        right = np.array([np.sin(camera.yaw), -np.cos(camera.yaw), 0.0]) * sprite.width
        if sprite.mirrored:
            right = -right
        foot = np.array([sprite.x, sprite.y, 0.0])
        surface = Surface(
            sprite.texture, foot - 0.5 * right + [0, 0, sprite.height], right,
            [0.0, 0.0, -sprite.height],
        )  # fmt: skip
        patch = _project(camera, surface.shape, surface.normal)
        if patch is None:
            return
        polygon, (x0, y0, x1, y1), plane = patch
        behind = inverse_depth[y0:y1, x0:x1]
        depth = _plane(plane, x0, y0, x1, y1)
        seen = depth > behind
        if not seen.any():
            return
        key = (id(sprite.texture), sprite.sunlit)
        lit = self._lit.get(key)
        if lit is None:
            gain = 0.9 * np.asarray(self.light.sky_light, np.float32)
            if sprite.sunlit:
                gain = gain + 0.6 * np.asarray(self.light.sun_light, np.float32)
            lit = _lit(sprite.texture, gain, self.light.lamps)
            self._lit[key] = lit
        warped = self._warp(camera, surface, key, lit, (x0, y0, x1, y1), polygon.mean(axis=0))
        alpha = np.where(seen, warped[..., 3], 0).astype(np.uint8)
        share = cv2.merge([alpha, alpha, alpha]).astype(np.float32) * np.float32(1 / 255)
        region = colour[y0:y1, x0:x1]
        mixed = region + (warped[..., :3] - region.astype(np.float32)) * share
        region[:] = mixed.astype(np.uint8)
        solid = alpha > 100
        behind[solid] = depth[solid]


def _automatic_gain(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gain of red, green and blue [3] by which a camera sets its exposure and white balance.

    Both follow the mean of the picture, exposure to four fifths (dusk stays darker than noon),
    white balance to nine tenths.
    """
    mean = picture[::8, ::8].reshape(-1, 3).mean(axis=0) + 1e-3
    grey = float(mean.mean())
    exposure = float(np.clip((_MIDDLE_GREY / grey) ** 0.8, 0.4, 2.5))
    return np.asarray(exposure * (grey / mean) ** 0.9, np.float32)


class _Sprite:
    """A picture that turns towards the camera, and whether the sun reaches it."""

    def __init__(
        self, x: float, y: float, width: float, height: float, texture: Texture,
        sunlit: bool, mirrored: bool = False,
    ) -> None:  # fmt: skip
        self.x, self.y, self.width, self.height = x, y, width, height
        self.texture, self.sunlit, self.mirrored = texture, sunlit, mirrored


def _sprites(world: World, light: Light) -> list[_Sprite]:
    textures: dict[tuple[str, int], Texture] = {}
    made: list[_Sprite] = []
    heads = [[tree.x, tree.y, 0.7 * tree.height] for tree in world.trees]
    heads += [[thing.x, thing.y, 0.7 * thing.height] for thing in world.things]
    lit = shadows.sunlit(np.array(heads).reshape(-1, 3), world.walls, light)
    for tree, sunny in zip(world.trees, lit, strict=False):
        key = (tree.species, tree.variant)
        if key not in textures:
            textures[key] = Texture(
                lambda key=key: (sprites.tree(key[0], light.season, key[1]), None)  # type: ignore[misc]
            )
        share = 0.42 if tree.species == "poplar" else 0.84
        mirrored = int(abs(tree.x * 7 + tree.y * 3)) % 2 == 0
        made.append(
            _Sprite(tree.x, tree.y, share * tree.height, tree.height, textures[key], bool(sunny),
                    mirrored)
        )  # fmt: skip
    for thing, sunny in zip(world.things, lit[len(world.trees) :], strict=True):
        made.append(
            _Sprite(thing.x, thing.y, thing.width, thing.height, thing.texture, bool(sunny))
        )
    return made


def _lit(texture: Texture, gain: NDArray[np.float32], lamps: float) -> Image:
    """A texture's colours times a gain ([3] or [H, W, 3]) plus the light of its lamps."""
    image = texture.image
    colours = image[..., :3] * np.asarray(gain, np.float32)
    if lamps > 0 and texture.glow is not None:
        colours = colours + lamps * texture.glow
    shown = np.clip(colours, 0, 255).astype(np.uint8)
    if image.shape[2] == 3:
        return shown
    # Holes take the colour of what is near them, or edges would turn dark when made smaller.
    alpha = image[..., 3]
    solid = (alpha > 0).astype(np.float32)
    weight = cv2.GaussianBlur(solid, (0, 0), 4.0)[..., None]
    spread = cv2.GaussianBlur(shown * solid[..., None], (0, 0), 4.0) / np.maximum(weight, 1e-3)
    filled = np.where(solid[..., None] > 0, shown, np.clip(spread, 0, 255)).astype(np.uint8)
    return np.dstack([filled, alpha])


class _Mesh:
    """All surfaces' corners in one array, so that most are ruled out together."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        self._corners = np.array([s.corners for s in surfaces]).reshape(-1, 4, 3)
        self._normals = np.array([s.normal for s in surfaces]).reshape(-1, 3)
        self._origins = np.array([s.origin for s in surfaces]).reshape(-1, 3)
        self._two_sided = np.array([s.two_sided for s in surfaces], bool)

    def visible(self, camera: Camera) -> list[tuple[int, tuple[int, int, int, int], float]]:
        """Surfaces that may be seen, near ones first.

        Each with the box (x0, y0, x1, y1) of the image that holds it and its largest 1 / depth.
        """
        if len(self._corners) == 0:
            return []
        faces = np.sum((camera.position - self._origins) * self._normals, axis=1)
        wanted = np.flatnonzero((faces > 0) | self._two_sided)
        optical = camera.to_optical(self._corners[wanted])
        x, y, depth = optical[..., 0], optical[..., 1], optical[..., 2]
        side, top = 0.5 * camera.width / camera.focal, 0.5 * camera.height / camera.focal
        nearest = depth.min(axis=1)
        inside = (
            (depth.max(axis=1) > NEAR)
            & (nearest < FAR)
            & (x < side * depth).any(axis=1) & (x > -side * depth).any(axis=1)
            & (y < top * depth).any(axis=1) & (y > -top * depth).any(axis=1)
        )  # fmt: skip
        kept, optical, nearest = wanted[inside], optical[inside], nearest[inside]
        size = np.array([camera.width, camera.height])
        whole = nearest > NEAR  # of what reaches behind the camera, any part of the image may show
        depth = np.maximum(optical[..., 2:], NEAR)
        pixels = camera.focal * optical[..., :2] / depth + 0.5 * size
        low = np.where(whole[:, None], np.clip(pixels.min(axis=1) - 1, 0, size), 0).astype(int)
        high = np.where(whole[:, None], np.clip(pixels.max(axis=1) + 2, 0, size), size).astype(int)
        order = np.argsort(nearest, kind="stable")
        return [
            (
                int(kept[index]),
                (int(low[index, 0]), int(low[index, 1]), int(high[index, 0]), int(high[index, 1])),
                1.0 / max(float(nearest[index]), NEAR),
            )
            for index in order
            if (high[index] > low[index]).all()
        ]


_Patch = tuple[Points, tuple[int, int, int, int], Points]


def _project(camera: Camera, shape: Points, normal: Points) -> _Patch | None:
    """A flat polygon [K, 3] in the image, or None where nothing of it can be seen.

    Returns its corners [N, 2] in pixels, the box (x0, y0, x1, y1) around them within the image, and
    (a, b, c) such that 1 / depth = a column + b row + c.
    """
    optical = _clip(camera, camera.to_optical(shape))
    if len(optical) < 3:
        return None
    middle = np.array([0.5 * camera.width - 0.5, 0.5 * camera.height - 0.5])
    pixels = camera.focal * optical[:, :2] / optical[:, 2:] + middle
    x0, y0 = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
    x1 = min(int(np.ceil(pixels[:, 0].max())) + 1, camera.width)
    y1 = min(int(np.ceil(pixels[:, 1].max())) + 1, camera.height)
    if x1 <= x0 or y1 <= y0:
        return None
    facing = camera.rotation @ normal
    offset = float(facing @ (camera.rotation @ (shape[0] - camera.position)))
    if abs(offset) < 1e-6:
        return None  # seen edge on
    plane = (facing @ camera.from_image) / offset
    return pixels, (int(x0), int(y0), x1, y1), plane


def _clip(camera: Camera, points: Points) -> Points:
    """The part of a polygon [K, 3] in the optical frame that the image can hold."""
    side, top = 0.52 * camera.width / camera.focal, 0.52 * camera.height / camera.focal
    planes = _frustum(side, top)
    distances = points @ planes[:, :3].T + planes[:, 3]
    if (distances >= 0).all():
        return points
    for plane in planes:
        d = points @ plane[:3] + plane[3]
        if (d >= 0).all():
            continue
        out = []
        for this in range(len(points)):
            after = (this + 1) % len(points)
            if d[this] >= 0:
                out.append(points[this])
            if (d[this] >= 0) != (d[after] >= 0):
                share = d[this] / (d[this] - d[after])
                out.append(points[this] + share * (points[after] - points[this]))
        if len(out) < 3:
            return np.zeros((0, 3))
        points = np.array(out)
    return points


@lru_cache(maxsize=8)
def _frustum(side: float, top: float) -> Points:
    """Near plane, then left, right, upper and lower edge: rows (a, b, c, d), inside >= 0."""
    return np.array(
        [[0, 0, 1, -NEAR], [1, 0, side, 0], [-1, 0, side, 0], [0, 1, top, 0], [0, -1, top, 0]]
    )


def _plane(plane: Points, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
    """a x + b y + c over a box of pixels."""
    columns = (plane[0] * np.arange(x0, x1) + plane[2]).astype(np.float32)
    rows = (plane[1] * np.arange(y0, y1)).astype(np.float32)
    return columns[None, :] + rows[:, None]


class _Ground:
    """Road, pavement and lawn: patches painted in the image, detail looked up by position."""

    def __init__(self, world: World, light: Light, cars: Sequence[Car]) -> None:
        self._light = light
        self._patches = _Polygons([patch.polygon for patch in world.ground])
        self._looks = [(patch.material, patch.colour) for patch in world.ground]
        rng = np.random.default_rng([61, world.seed])
        self._details = [
            _two_scales(gain)
            for gain in (
                materials.asphalt(rng, _TILE),
                materials.paving(rng, _TILE, 16),
                materials.cobbles(rng, _TILE, 48),
                materials.grass(rng, _TILE),
            )
        ]
        self._hard = _Polygons([])
        self._crowns = _Polygons([])
        if light.casts_shadows:
            self._hard = _Polygons(
                [
                    *shadows.on_ground(world.walls, cars, light),
                    *shadows.of_posts(world.things, light),
                ]
            )
            self._crowns = _Polygons(list(shadows.of_crowns(world.trees, light)))
        self._contacts = _Polygons([car.footprint for car in cars])

    def draw(self, camera: Camera, colour: Image) -> NDArray[np.float32]:
        """Paint the ground below the horizon into `colour`; returns its 1 / depth [H, W]."""
        from_image = camera.from_image
        down = camera.rotation @ np.array([0.0, 0.0, 1.0])  # the map's z in the optical frame
        plane = (down @ from_image) / -camera.z
        inverse_depth = _plane(plane, 0, 0, camera.width, camera.height)
        rows = np.flatnonzero((inverse_depth > 1 / FAR).any(axis=1))
        np.maximum(inverse_depth, 0, out=inverse_depth)
        if len(rows) == 0:
            return inverse_depth
        top = int(rows[0])
        height = camera.height - top
        shape = (height, camera.width)
        paint = np.full((*shape, 3), (92, 93, 96), np.uint8)
        kinds = np.zeros(shape, np.uint8)
        order = ("asphalt", "paving", "cobbles", "grass")
        for index, pixels in self._patches.in_view(camera, top):
            material, look = self._looks[index]
            cv2.fillPoly(paint, [pixels], look, cv2.LINE_AA, 4)
            cv2.fillPoly(kinds, [pixels], order.index(material), cv2.LINE_8, 4)

        depth = 1 / np.maximum(inverse_depth[top:], 1 / FAR)
        x = np.arange(camera.width, dtype=np.float32)
        y = np.arange(top, camera.height, dtype=np.float32)
        rays = (camera.rotation.T @ from_image).astype(np.float32)
        east = (rays[0, 0] * x + rays[0, 2])[None, :] + (rays[0, 1] * y)[:, None]
        north = (rays[1, 0] * x + rays[1, 2])[None, :] + (rays[1, 1] * y)[:, None]
        scale = np.float32(_TILE / _TILE_METRES)
        # The tile repeats, so the camera's own place counts by its remainder alone.
        column = (east * depth + np.float32(camera.x % _TILE_METRES)) * scale
        row = (north * depth + np.float32(camera.y % _TILE_METRES)) * scale
        # OpenCV wraps one pixel after the other, numpy all at once.
        column -= _TILE * np.floor(column / _TILE)
        row -= _TILE * np.floor(row / _TILE)
        fine, broad = np.exp(-((depth / 11) ** 2)), np.exp(-((depth / 45) ** 2))
        gain = np.empty(shape, np.float32)
        for number, tile in enumerate(self._details):
            inside = kinds == number
            if not inside.any():
                continue
            found = cv2.remap(tile, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            detail = 1 + found[..., 0] * fine + found[..., 1] * broad
            np.copyto(gain, detail.astype(np.float32), where=inside)

        light = self._light
        sky_light = np.asarray(light.sky_light, np.float32)
        shown = paint * gain[..., None]
        if light.casts_shadows:
            shade = self._shade(camera, top, shape)
            sun = np.asarray(light.sun_light, np.float32) * np.float32(light.to_sun[2])
            shown *= sky_light + sun * (1 - shade)[..., None]
        else:
            shown *= sky_light
        contact = np.zeros(shape, np.uint8)
        for _, pixels in self._contacts.in_view(camera, top):
            cv2.fillPoly(contact, [pixels], 255, cv2.LINE_8, 4)
        if contact.any():
            soft = cv2.GaussianBlur(contact, (0, 0), 2.0).astype(np.float32) / 255
            shown *= 1 - (1 - _CONTACT) * soft[..., None]
        below = inverse_depth[top:] > 1 / FAR
        region = colour[top:]
        np.copyto(region, np.clip(shown, 0, 255).astype(np.uint8), where=below[..., None])
        return inverse_depth

    def _shade(self, camera: Camera, top: int, shape: tuple[int, int]) -> NDArray[np.float32]:
        """The share of the sun that is kept from the ground, 0..1 [H, W]."""
        crowns = np.zeros(shape, np.uint8)
        level = round(255 * shadows.CROWN_SHADE[self._light.season])
        for _, pixels in self._crowns.in_view(camera, top):
            cv2.fillPoly(crowns, [pixels], level, cv2.LINE_8, 4)
        hard = np.zeros(shape, np.uint8)
        for _, pixels in self._hard.in_view(camera, top):
            cv2.fillPoly(hard, [pixels], 255, cv2.LINE_8, 4)
        soft = cv2.GaussianBlur(crowns, (0, 0), 2.5)
        both = cv2.GaussianBlur(np.maximum(hard, soft), (3, 3), 0)
        return np.asarray(both.astype(np.float32) / 255, np.float32)


def _two_scales(gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """A tile's detail [H, W, 2] about 1: what fades near the camera, and what fades far off."""
    pad = 32
    padded = np.pad(gain, pad, mode="wrap")
    broad = cv2.GaussianBlur(padded, (0, 0), 7.0)[pad:-pad, pad:-pad]
    return np.dstack([gain - broad, broad - 1]).astype(np.float32)


class _Polygons:
    """Flat polygons on the ground, found by where they are."""

    def __init__(self, polygons: Sequence[Points]) -> None:
        flat = [np.asarray(polygon, float) for polygon in polygons]
        self._ends = np.cumsum([0, *(len(polygon) for polygon in flat)])
        points = np.concatenate(flat) if flat else np.zeros((0, 2))
        self._points = np.column_stack([points, np.zeros(len(points))])
        self._centres = np.array([[*p.mean(axis=0), 0.0] for p in flat]).reshape(-1, 3)
        self._radii = np.array(
            [
                float(np.linalg.norm(polygon - centre[:2], axis=1).max())
                for polygon, centre in zip(flat, self._centres, strict=True)
            ]
        )

    def in_view(self, camera: Camera, top: int) -> list[tuple[int, NDArray[np.int32]]]:
        """Indices and pixels x 16 (rows counted from `top`) of those the camera may see."""
        if len(self._radii) == 0:
            return []
        centres = camera.to_optical(self._centres)
        depth, reach = centres[:, 2], self._radii
        edge = 0.5 * camera.width / camera.focal
        # Seen from so low, what is flat and far away is thinner than a pixel.
        rows = camera.focal * camera.z * 2 * reach / np.maximum(depth - reach, 1.0) ** 2
        seen = np.flatnonzero(
            (depth > -reach)
            & (depth - reach < FAR)
            & (np.abs(centres[:, 0]) < edge * np.maximum(depth, 0) + 1.3 * reach + 1)
            & (rows > 0.3)
        )
        optical = camera.to_optical(self._points)
        middle = np.array([0.5 * camera.width - 0.5, 0.5 * camera.height - 0.5 - top])
        out = []
        for index in seen:
            points = _clip(camera, optical[self._ends[index] : self._ends[index + 1]])
            if len(points) >= 3:
                pixels = camera.focal * points[:, :2] / points[:, 2:] + middle
                out.append((int(index), np.round(pixels * 16).astype(np.int32)))
        return out
