"""Conditions drawn from seeds: they are what they say, differ, and show in the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from examples.streets import LIGHTS, Camera, Light, Renderer, World, condition, random_light
from examples.streets.conditions import SEASONS, TIMES, WEATHERS


@pytest.fixture(scope="module")
def drawn() -> list[Light]:
    return [random_light(seed) for seed in range(400)]


@pytest.fixture(scope="module")
def camera(quarter: World) -> Camera:
    """In the middle of a street, small."""
    start, end = (quarter.plan.crossings[crossing] for crossing in ((1, 0), (1, 1)))
    x, y = 0.5 * (start + end)
    yaw = float(np.arctan2(*(end - start)[::-1]))
    return Camera(float(x), float(y), 1.6, yaw, width=160, height=120)


def test_the_same_seed_draws_the_same_condition_and_others_differ(drawn: list[Light]) -> None:
    assert drawn[:20] == [random_light(seed) for seed in range(20)]
    assert len(set(drawn)) == len(drawn)


def test_every_season_time_and_weather_is_drawn(drawn: list[Light]) -> None:
    words = [light.name.split("-") for light in drawn]
    assert {season for season, _, _ in words} == set(SEASONS)
    assert {time for _, time, _ in words} == set(TIMES)
    assert {weather for _, _, weather in words} == set(WEATHERS)


def test_a_condition_is_what_its_name_says(drawn: list[Light]) -> None:
    for light in drawn:
        season, time, weather = light.name.split("-")
        assert light.season == season
        assert (light.snow > 0) == (weather == "snow")
        assert (light.rain > 0) == (weather == "rain")
        assert (light.wet > 0) == (weather in ("rain", "wet"))
        assert (light.haze_range < 80) == (weather == "fog") or light.snowfall > 0
        if time == "night":
            assert light.lamps > 0
            assert not light.casts_shadows
            assert max(light.sky_light) < 0.2
        if weather in ("overcast", "fog", "rain"):
            assert not light.casts_shadows
        if weather == "clear" and time in ("morning", "noon", "afternoon"):
            assert light.casts_shadows
    by_noon = {s: condition(s, "noon", "clear", seed=1).sun_elevation for s in SEASONS}
    assert by_noon["summer"] > by_noon["spring"] > by_noon["autumn"] > by_noon["winter"]


def test_there_is_no_snow_in_summer() -> None:
    with pytest.raises(ValueError, match="no snow in summer"):
        condition("summer", "noon", "snow")


def ground_of(light: Light, world: World, camera: Camera) -> np.ndarray:
    """The lower quarter of the picture, before exposure."""
    return Renderer(world, light).draw(camera)[0][90:].astype(float)


def test_snow_whitens_the_ground_and_wet_darkens_what_is_near(
    quarter: World, camera: Camera
) -> None:
    dry = replace(LIGHTS["overcast"], season="winter")
    plain = ground_of(dry, quarter, camera)
    assert ground_of(replace(dry, snow=1.0), quarter, camera).mean() > plain.mean() + 30
    assert ground_of(replace(dry, wet=1.0), quarter, camera)[-8:].mean() < plain[-8:].mean() - 5


def test_wet_ground_mirrors_what_stands_above_it() -> None:
    from examples.streets.weather import reflected

    colour = np.full((60, 40, 3), 90, np.uint8)
    colour[:20] = 150  # the sky
    colour[10:30, 10:20] = (220, 20, 20)  # a red house, its foot in row 30
    ground = np.zeros((60, 40), bool)
    ground[30:] = True
    mirrored = reflected(colour, ground, np.full((60, 40), 0.5, np.float32))
    assert np.array_equal(mirrored[:30], colour[:30])
    below_house, below_sky = mirrored[40, 15].astype(int), mirrored[40, 30].astype(int)
    assert below_house[0] - below_house[1] > 50
    assert abs(below_sky[0] - below_sky[1]) < 10
    still = reflected(colour, ground, np.zeros((60, 40), np.float32))
    assert np.array_equal(still, colour)


def test_fog_hides_what_is_far_and_keeps_what_is_near(quarter: World, camera: Camera) -> None:
    clear = replace(LIGHTS["overcast"], haze_range=500.0)
    thick = replace(clear, haze_range=25.0)
    _, inverse_depth = Renderer(quarter, clear).draw(camera)
    far = (inverse_depth > 0) & (inverse_depth < 1 / 60)
    assert far.sum() > 50
    seen = Renderer(quarter, clear).image(camera).astype(float)
    hidden = Renderer(quarter, thick).image(camera).astype(float)
    assert hidden[far].std() < 0.4 * seen[far].std()


def test_night_is_lit_by_lamps(quarter: World, camera: Camera) -> None:
    night = condition("summer", "night", "clear", seed=3)
    lit = Renderer(quarter, night).draw(camera)[0].astype(float)
    dark = Renderer(quarter, replace(night, lamps=0.0)).draw(camera)[0].astype(float)
    assert lit[60:].mean() > dark[60:].mean() + 4


def test_autumn_strews_leaves_by_its_share(quarter: World, camera: Camera) -> None:
    autumn = replace(LIGHTS["overcast"], season="autumn")
    none = ground_of(autumn, quarter, camera)
    some = ground_of(replace(autumn, leaves=0.4), quarter, camera)
    many = ground_of(replace(autumn, leaves=1.0), quarter, camera)
    assert 0 < np.abs(some - none).mean() < np.abs(many - none).mean()
