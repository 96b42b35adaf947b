"""What a camera sees of a world in some light: every frame from geometry, with a depth buffer.

Flat surfaces are drawn from near to far through the homography that takes their texture to the
image; each pixel keeps the nearest. The ground is intersected pixel by pixel, the sky comes from a
panorama, trees and street furniture stand as pictures turned towards the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import cars as car_shapes
from examples.streets import materials, shadows, sky, sprites, weather
from examples.streets.camera import Camera
from examples.streets.cars import Car
from examples.streets.light import Light
from examples.streets.materials import Image
from examples.streets.people import Clothes
from examples.streets.surfaces import Surface, Texture
from examples.streets.traffic import Passing
from examples.streets.world import World

Points = NDArray[np.float64]

NEAR, FAR = 0.25, 420.0  # metres
_TILE = 512  # pixels of a ground tile's side
_TILE_METRES = 8.0
_MIDDLE_GREY = 106.0  # mean level that the automatic exposure aims at
_CONTACT = 0.45  # light that is left under a car
_LAMP_LIGHT = np.array([0.46, 0.36, 0.23], np.float32)  # of street lamps, right below them
_NOBODY = Passing()


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
        self._passing_sunlit: dict[int, bool] = {}
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
        self._clothes: Clothes = (
            "rain" if light.rain else "light" if light.season == "summer" else "warm"
        )
        self._falling = weather.Falling(light)
        self._sky = sky.panorama(light, world.seed)
        grain = np.random.default_rng([60, light.seed]).standard_normal((1024, 1024))
        self._grain = (grain * light.grain).astype(np.float32)

    def image(self, camera: Camera, passing: Passing = _NOBODY) -> Image:
        """The camera's picture, RGB uint8 [H, W, 3]; the same every time it is asked for."""
        colour, inverse_depth = self.draw(camera, passing)
        return self._develop(camera, colour, inverse_depth)

    def draw(self, camera: Camera, passing: Passing = _NOBODY) -> tuple[Image, NDArray[np.float32]]:
        """Colours [H, W, 3] before haze and grain, and 1 / depth in 1/m [H, W] (0: the sky).

        `passing` is who and what is on its way at that moment.
        """
        colour = sky.view(self._sky, camera)
        inverse_depth = np.zeros((camera.height, camera.width), np.float32)
        ground, mirror = self._ground.draw(camera, colour, passing)
        seen = [
            (nearest, box, self._surfaces[index])
            for index, box, nearest in self._mesh.visible(camera)
        ]
        if passing.cars:
            moving = self._moving(passing.cars)
            visible = _Mesh(moving).visible(camera)
            seen += [(nearest, box, moving[index]) for index, box, nearest in visible]
            seen.sort(key=lambda one: -one[0])
        for nearest, (x0, y0, x1, y1), surface in seen:
            if float(inverse_depth[y0:y1, x0:x1].min()) < nearest:  # else it is hidden
                self._draw_surface(camera, surface, colour, inverse_depth)
        for sprite in self._sprites_in_view(camera, passing, inverse_depth):
            self._draw_sprite(camera, sprite, colour, inverse_depth)
        if mirror is not None:
            bare = (inverse_depth <= 0) & (ground > 1 / FAR)
            colour = weather.reflected(colour, bare, mirror)
        np.maximum(inverse_depth, ground, out=inverse_depth)
        return colour, inverse_depth

    def _moving(self, cars: Sequence[Car]) -> list[Surface]:
        """The surfaces of cars that are there for one picture only."""
        centres = np.array([[car.x, car.y, 1.0] for car in cars])
        self._passing_sunlit = {}
        made = []
        for car, lit in zip(
            cars, shadows.sunlit(centres, self.world.walls, self.light), strict=True
        ):
            surfaces = car_shapes.surfaces(car, lights=True)
            self._passing_sunlit.update((id(surface), bool(lit)) for surface in surfaces)
            made += surfaces
        return made

    def _develop(self, camera: Camera, colour: Image, inverse_depth: NDArray[np.float32]) -> Image:
        """Haze, lens and sensor."""
        clear = np.exp(-1.0 / (np.maximum(inverse_depth, 1e-4) * self.light.haze_range))
        clear[inverse_depth <= 0] = 1.0
        haze = np.asarray(self.light.horizon, np.float32)
        picture = colour.astype(np.float32)
        picture -= haze
        picture *= clear[..., None]
        picture += haze
        pose = np.round(np.append(camera.position, camera.yaw) * 1e4).astype(np.int64)
        rng = np.random.default_rng(np.abs(pose))
        roll = rng.integers(0, 1024 - 1, 2)
        if self.light.lamps > 0:
            picture = weather.bloom(picture, self.light.lamps)
        picture = self._falling.over(picture, rng)
        # Snow would come out grey; cameras know it.
        gain = _automatic_gain(picture, _MIDDLE_GREY * (1 + 0.35 * self.light.snow))
        cv2.GaussianBlur(picture, (3, 3), 0.55, dst=picture)
        y = np.linspace(-1, 1, camera.height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, camera.width, dtype=np.float32)[None, :]
        vignette = 1 - 0.07 * (x * x + y * y)
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
        moves = id(surface) in self._passing_sunlit
        upward = float(surface.normal[2])
        # Snow stays on roofs, and on the cars that stand.
        snow = light.snow if upward > (0.9 if moves else 0.25) else 0.0
        lamplight = self._lamplight(surface)
        if surface.takes_shadows and facing > 0:
            key: object = id(surface)
        else:
            if facing > 0 and not self._is_sunlit(surface):
                facing = 0.0
            facing = round(facing, 1)
            key = (
                id(surface.texture), facing, round(upward, 1), snow > 0, round(lamplight, 1),
            )  # fmt: skip
        lit = self._lit.get(key)
        if lit is None:
            image = surface.texture.image
            if snow > 0:
                image = weather.snowed(image, snow, self.world.seed)
            above = 0.8 + 0.2 * upward  # a wall sees half of the sky
            gain = above * np.asarray(light.sky_light, np.float32)
            sun = facing * np.asarray(light.sun_light, np.float32)
            if light.lamps > 0 and upward < 0.5:
                gain = gain + light.lamps * lamplight * _LAMP_LIGHT
            if surface.takes_shadows and facing > 0:
                size = (image.shape[0], image.shape[1])
                shade = shadows.on_surface(surface, self.world.walls, light, size)
                gain = gain + sun * (1 - shade[..., None])
            else:
                gain = gain + sun
            lit = _lit(image, surface.texture.glow, gain, light.lamps)
            self._lit[key] = lit
        return key, lit

    def _lamplight(self, surface: Surface) -> float:
        """How much of the lamps' light falls on a surface: the less, the higher it is."""
        if self.light.lamps == 0:
            return 0.0
        middle = float(surface.origin[2] + 0.5 * (surface.u[2] + surface.v[2]))
        return round(float(np.exp(-((max(middle - 3.0, 0.0) / 5.0) ** 2))), 1)

    def _is_sunlit(self, surface: Surface) -> bool:
        known = self._passing_sunlit.get(id(surface), self._sunlit.get(id(surface)))
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

    def _sprites_in_view(
        self, camera: Camera, passing: Passing, inverse_depth: NDArray[np.float32]
    ) -> list[_Sprite]:
        """Sprites that the surfaces drawn so far leave something of to see, far ones first."""
        every, feet, sizes = self._sprites, self._sprite_feet, self._sprite_sizes
        if passing.people:
            people = self._people(camera, passing)
            every = every + people
            feet = np.concatenate([feet, [[p.x, p.y, 0.5 * p.height] for p in people]])
            sizes = np.concatenate([sizes, [[p.width, p.height] for p in people]])
        optical = camera.to_optical(feet)
        depth = np.maximum(optical[:, 2], 1e-3)
        middle = camera.focal * optical[:, :2] / depth[:, None] + [
            0.5 * camera.width, 0.5 * camera.height
        ]  # fmt: skip
        half = 0.5 * camera.focal * sizes / depth[:, None] + 2
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
                out.append(every[index])
        return out

    def _people(self, camera: Camera, passing: Passing) -> list[_Sprite]:
        """People as they are seen from the camera."""
        heads = np.array([[person.x, person.y, 1.2] for person in passing.people])
        lit = shadows.sunlit(heads, self.world.walls, self.light)
        return [
            _Sprite(
                person.x, person.y, person.width, person.height,
                person.texture(person.side_towards(camera.x, camera.y), self._clothes), bool(sunny),
            )
            for person, sunny in zip(passing.people, lit, strict=True)
        ]  # fmt: skip

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
            if self.light.lamps > 0:
                gain = gain + 0.5 * self.light.lamps * _LAMP_LIGHT
            image = sprite.texture.image
            if self.light.snow and sprite.snowy:
                image = weather.snow_on_branches(image, self.light.snow)
            lit = _lit(image, sprite.texture.glow, gain, self.light.lamps)
            self._lit[key] = lit
        warped = self._warp(camera, surface, key, lit, (x0, y0, x1, y1), polygon.mean(axis=0))
        alpha = np.where(seen, warped[..., 3], 0).astype(np.uint8)
        share = cv2.merge([alpha, alpha, alpha]).astype(np.float32) * np.float32(1 / 255)
        region = colour[y0:y1, x0:x1]
        mixed = region + (warped[..., :3] - region.astype(np.float32)) * share
        region[:] = mixed.astype(np.uint8)
        solid = alpha > 100
        behind[solid] = depth[solid]


def _automatic_gain(picture: NDArray[np.float32], aim: float) -> NDArray[np.float32]:
    """Gain of red, green and blue [3] by which a camera sets its exposure and white balance.

    `aim` is the mean level it would have. Both follow the mean of the picture, exposure to four
    fifths (dusk stays darker than noon), white balance to nine tenths.
    """
    mean = picture[::8, ::8].reshape(-1, 3).mean(axis=0) + 1e-3
    grey = float(mean.mean())
    exposure = float(np.clip((aim / grey) ** 0.8, 0.4, 2.8))
    return np.asarray(exposure * (grey / mean) ** 0.9, np.float32)


class _Sprite:
    """A picture that turns towards the camera, and whether the sun reaches it."""

    def __init__(
        self, x: float, y: float, width: float, height: float, texture: Texture,
        sunlit: bool, mirrored: bool = False, snowy: bool = False,
    ) -> None:  # fmt: skip
        self.x, self.y, self.width, self.height = x, y, width, height
        self.texture, self.sunlit, self.mirrored = texture, sunlit, mirrored
        self.snowy = snowy  # snow lies on it


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
        share = sprites.width_share(tree.species)
        mirrored = int(abs(tree.x * 7 + tree.y * 3)) % 2 == 0
        made.append(
            _Sprite(tree.x, tree.y, share * tree.height, tree.height, textures[key], bool(sunny),
                    mirrored, snowy=True)
        )  # fmt: skip
    for thing, sunny in zip(world.things, lit[len(world.trees) :], strict=True):
        made.append(
            _Sprite(thing.x, thing.y, thing.width, thing.height, thing.texture, bool(sunny))
        )
    return made


def _lit(image: Image, glow: Image | None, gain: NDArray[np.float32], lamps: float) -> Image:
    """A texture's colours times a gain ([3] or [H, W, 3]) plus the light of its lamps."""
    colours = image[..., :3] * np.asarray(gain, np.float32)
    if lamps > 0 and glow is not None:
        colours = colours + lamps * glow
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


_ORDER = ("asphalt", "paving", "cobbles", "grass", "bricks", "gravel")  # of the ground's materials
# How well leaves stay on them, whether snow stays (0: as on the whole), what they mirror when wet.
_LEAVES_KEPT = {"asphalt": 0.55, "cobbles": 0.6, "grass": 1.1}
_SNOW_KEPT = {"asphalt": -0.75, "cobbles": -0.5, "paving": 0.0, "bricks": -0.1, "grass": 1.2,
              "gravel": 0.4}  # fmt: skip
_MIRRORS = {"grass": 0.0, "gravel": 0.3}


def _by_material(values: Mapping[str, float]) -> NDArray[np.float32]:
    """A number for each material of the ground in their order; 1 where none is given."""
    return np.array([values.get(material, 1.0) for material in _ORDER], np.float32)


class _Ground:
    """Road, pavement and lawn: patches painted in the image, detail looked up by position."""

    def __init__(self, world: World, light: Light, cars: Sequence[Car]) -> None:
        self._light = light
        self._patches = _Polygons([patch.polygon for patch in world.ground])
        self._looks = [(patch.material, patch.colour) for patch in world.ground]
        rng = np.random.default_rng([61, world.seed])
        details = [
            _two_scales(gain)
            for gain in (
                materials.asphalt(rng, _TILE),
                materials.paving(rng, _TILE, int(rng.choice([8, 16, 16, 32]))),
                materials.cobbles(rng, _TILE, int(rng.choice([32, 48, 64]))),
                materials.grass(rng, _TILE),
                materials.clinker(rng, _TILE, 64),
                materials.gravel(rng, _TILE),
            )
        ]
        # One above the other, each with its first row again below it to blend with.
        self._details = np.concatenate([part for tile in details for part in (tile, tile[:1])])
        self._clouds = np.zeros((_TILE // 2, _TILE // 2), np.float32)
        for sigma, share in ((3.0, 0.02), (10.0, 0.035), (32.0, 0.05)):
            self._clouds += materials.tileable_noise(rng, _TILE // 2, sigma) * np.float32(share)
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
        lanterns = [
            thing for thing in world.things if light.lamps and thing.texture.glow is not None
        ]
        self._pools = [
            (_Polygons([_disc(thing.x, thing.y, radius) for thing in lanterns]), level)
            for radius, level in ((8.0, 60), (5.5, 120), (3.5, 190))
        ]
        self._under_trees = _Polygons(
            [_disc(tree.x, tree.y, 0.45 * tree.height) for tree in world.trees if light.leaves]
        )
        cover = np.random.default_rng([65, world.seed])
        self._cover = materials.tileable_noise(cover, _TILE, 28.0)

    def draw(
        self, camera: Camera, colour: Image, passing: Passing
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Paint the ground below the horizon into `colour`.

        Returns its 1 / depth and, where it is wet, the share of its light that it mirrors [H, W].
        """
        from_image = camera.from_image
        down = camera.rotation @ np.array([0.0, 0.0, 1.0])  # the map's z in the optical frame
        plane = (down @ from_image) / -camera.z
        inverse_depth = _plane(plane, 0, 0, camera.width, camera.height)
        rows = np.flatnonzero((inverse_depth > 1 / FAR).any(axis=1))
        np.maximum(inverse_depth, 0, out=inverse_depth)
        if len(rows) == 0:
            return inverse_depth, None
        top = int(rows[0])
        height = camera.height - top
        shape = (height, camera.width)
        paint = np.full((*shape, 3), (92, 93, 96), np.uint8)
        kinds = np.zeros(shape, np.uint8)
        for index, pixels in self._patches.in_view(camera, top):
            material, look = self._looks[index]
            cv2.fillPoly(paint, [pixels], look, cv2.LINE_AA, 4)
            cv2.fillPoly(kinds, [pixels], _ORDER.index(material), cv2.LINE_8, 4)

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
        found = cv2.remap(
            self._details, column, row + kinds * np.float32(_TILE + 1), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        gain = np.asarray(1 + found[..., 0] * fine + found[..., 1] * broad, np.float32)
        gain += self._cloud(camera, east, north, depth)

        light = self._light
        sky_light = np.asarray(light.sky_light, np.float32)
        shown = paint * gain[..., None]
        mirror = None
        if light.leaves or light.snow or light.wet:
            # The same noise at four times its size, so that patches are as large as a car.
            at = _wrapped(
                east * depth + np.float32(camera.x), north * depth + np.float32(camera.y), 0.25
            )
            patchy = np.asarray(
                cv2.remap(self._cover, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP),
                np.float32,
            )
            if light.wet:
                mirror = np.zeros_like(inverse_depth)
                mirror[top:] = self._wet(shown, kinds, inverse_depth[top:] * camera.z, patchy)
            if light.leaves:
                self._strew(shown, camera, top, kinds, (column, row), fine, patchy)
            if light.snow:
                self._snow(shown, kinds, patchy)
        if light.casts_shadows:
            shade = self._shade(camera, top, shape, passing)
            sun = np.asarray(light.sun_light, np.float32) * np.float32(light.to_sun[2])
            falls = sky_light + sun * (1 - shade)[..., None]
        else:
            falls = sky_light
        if light.lamps > 0:
            pool = np.zeros(shape, np.uint8)
            for pools, level in self._pools:
                for _, pixels in pools.in_view(camera, top):
                    cv2.fillPoly(pool, [pixels], level, cv2.LINE_8, 4)
            near = cv2.GaussianBlur(pool, (0, 0), 4.0).astype(np.float32) / 255 + 0.12
            falls = falls + (light.lamps * near)[..., None] * (1.6 * _LAMP_LIGHT)
        shown *= falls
        contact = np.zeros(shape, np.uint8)
        stood_on = [car.footprint for car in passing.cars]
        stood_on += [_disc(person.x, person.y, 0.22) for person in passing.people]
        for polygons in (self._contacts, _Polygons(stood_on)):
            for _, pixels in polygons.in_view(camera, top):
                cv2.fillPoly(contact, [pixels], 255, cv2.LINE_8, 4)
        if contact.any():
            soft = cv2.GaussianBlur(contact, (0, 0), 2.0).astype(np.float32) / 255
            shown *= 1 - (1 - _CONTACT) * soft[..., None]
        below = inverse_depth[top:] > 1 / FAR
        region = colour[top:]
        np.copyto(region, np.clip(shown, 0, 255).astype(np.uint8), where=below[..., None])
        return inverse_depth, mirror

    def _wet(
        self, shown: NDArray[np.float32], kinds: Image, slope: NDArray[np.float32],
        patchy: NDArray[np.float32],
    ) -> NDArray[np.float32]:  # fmt: skip
        """Darken wet ground, and return how much it mirrors: more at a grazing angle (`slope`)."""
        wet = np.float32(self._light.wet)
        hard = _by_material(_MIRRORS)[kinds]
        puddle = np.clip(0.5 + 1.5 * (patchy + 1.6 * (wet - 0.9)), 0, 1) * hard
        shown *= (1 - wet * (0.22 + 0.2 * puddle) * (0.5 + 0.5 * hard))[..., None]
        fresnel = 0.04 + 0.8 * (1 - np.clip(slope, 0, 1)) ** 5
        return np.asarray(wet * hard * fresnel * (0.35 + 0.6 * puddle), np.float32)

    def _strew(
        self, shown: NDArray[np.float32], camera: Camera, top: int, kinds: Image,
        at: tuple[NDArray[np.float32], NDArray[np.float32]], fine: NDArray[np.float32],
        patchy: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Strew leaves: under trees many, elsewhere few, and fewer on the road."""
        season = self._light.season
        near: Image = np.zeros(kinds.shape, np.uint8)
        for _, pixels in self._under_trees.in_view(camera, top):
            cv2.fillPoly(near, [pixels], 255, cv2.LINE_8, 4)
        soft = cv2.GaussianBlur(near, (0, 0), 5.0).astype(np.float32) / 255
        kept = _by_material(_LEAVES_KEPT)[kinds]
        most = self._light.leaves * (0.55 if season == "autumn" else 0.25)
        cover = np.clip(most * kept * (0.16 + soft) * (1 + 0.6 * patchy), 0, 0.95)
        colours, rank = weather.leaf_tile(season, _TILE)
        lies = cv2.remap(rank, *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_WRAP) < cover
        seen = cv2.remap(colours, *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_WRAP)
        single, mass = lies * fine, cover * 0.6 * (1 - fine)
        shown += single[..., None] * (seen - shown)
        shown += mass[..., None] * (weather.mean_leaf(season) - shown)

    def _snow(self, shown: NDArray[np.float32], kinds: Image, patchy: NDArray[np.float32]) -> None:
        """Cover the ground with snow: roads less than pavements, lawns most."""
        ready = _by_material(_SNOW_KEPT)[kinds]
        cover = np.clip(0.5 + 2.5 * (self._light.snow - 0.6) + ready + 0.55 * patchy, 0, 0.95)
        white = np.asarray(weather.SNOW, np.float32) * (1 + 0.03 * patchy[..., None])
        shown += cover[..., None] * (white - shown)

    def _cloud(
        self,
        camera: Camera,
        east: NDArray[np.float32],
        north: NDArray[np.float32],
        depth: NDArray[np.floating],
    ) -> NDArray[np.float32]:
        """What years of traffic and weather add to the detail, broader than a tile [H, W]."""
        few = np.s_[::4, ::4]
        column, row = _wrapped(
            east[few] * depth[few] + np.float32(camera.x),
            north[few] * depth[few] + np.float32(camera.y),
            0.09,
        )
        half = np.float32(0.5)  # the clouds' tile has half as many pixels
        coarse = cv2.remap(
            self._clouds, column * half, row * half, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        size = (depth.shape[1], depth.shape[0])
        return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)

    def _shade(
        self, camera: Camera, top: int, shape: tuple[int, int], passing: Passing
    ) -> NDArray[np.float32]:
        """The share of the sun that is kept from the ground, 0..1 [H, W]."""
        crowns = np.zeros(shape, np.uint8)
        level = round(255 * shadows.CROWN_SHADE[self._light.season])
        for _, pixels in self._crowns.in_view(camera, top):
            cv2.fillPoly(crowns, [pixels], level, cv2.LINE_8, 4)
        hard = np.zeros(shape, np.uint8)
        moving = _Polygons(
            [
                *shadows.on_ground(np.zeros((0, 4, 3)), passing.cars, self._light),
                *shadows.of_posts(passing.people, self._light),
            ]
        )
        for polygons in (self._hard, moving):
            for _, pixels in polygons.in_view(camera, top):
                cv2.fillPoly(hard, [pixels], 255, cv2.LINE_8, 4)
        soft = cv2.GaussianBlur(crowns, (0, 0), 2.5)
        both = cv2.GaussianBlur(np.maximum(hard, soft), (3, 3), 0)
        return np.asarray(both.astype(np.float32) / 255, np.float32)


def _disc(x: float, y: float, radius: float) -> Points:
    """A regular polygon [12, 2] around a point."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.array([x, y]) + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _wrapped(
    east: NDArray[np.float32], north: NDArray[np.float32], fineness: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of a repeating tile at these metres."""
    scale = np.float32(fineness * _TILE / _TILE_METRES)
    column, row = east * scale, north * scale
    return column - _TILE * np.floor(column / _TILE), row - _TILE * np.floor(row / _TILE)


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
