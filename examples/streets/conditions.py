"""Light, weather and season together: one condition out of very many, from a seed.

    light = random_light(seed=5)                              # any of them
    light = condition("winter", "dusk", "snow", seed=5)       # a particular one

The five in LIGHTS are fixed instances; these are drawn anew for every seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from examples.streets.light import Light, Tone
from examples.streets.sprites import Season

Time = Literal["dawn", "morning", "noon", "afternoon", "dusk", "night"]
Weather = Literal["clear", "broken", "overcast", "fog", "rain", "wet", "snow"]

SEASONS: tuple[Season, ...] = get_args(Season)
TIMES: tuple[Time, ...] = get_args(Time)
WEATHERS: tuple[Weather, ...] = get_args(Weather)

# The sun at noon, degrees, in the middle of Europe.
_NOON_ELEVATION: dict[Season, float] = {"spring": 46, "summer": 61, "autumn": 34, "winter": 20}
# Azimuth of the sun, degrees from east, and its elevation as a share of noon's.
_SUN_AT: dict[Time, tuple[float, float]] = {
    "dawn": (5, 0.1), "morning": (-35, 0.62), "noon": (-90, 1.0), "afternoon": (-142, 0.6),
    "dusk": (184, 0.08), "night": (-90, 0.0),
}  # fmt: skip
_TIME_SHARES = (0.08, 0.2, 0.2, 0.26, 0.13, 0.13)
_WEATHER_SHARES = (0.24, 0.22, 0.24, 0.07, 0.13, 0.1)  # of all but snow
_SNOW_SHARE = 0.4  # of winter's

_LOW_SUN, _HIGH_SUN = np.array([1.05, 0.66, 0.36]), np.array([0.88, 0.83, 0.74])


def random_light(seed: int) -> Light:
    """A season, time of day and weather drawn from a seed; the same seed, the same condition."""
    rng = np.random.default_rng([seed, 90])
    season = SEASONS[int(rng.integers(4))]
    time = TIMES[int(rng.choice(6, p=_TIME_SHARES))]
    weather: Weather = WEATHERS[int(rng.choice(6, p=_WEATHER_SHARES))]
    if season == "winter" and rng.random() < _SNOW_SHARE:
        weather = "snow"
    return condition(season, time, weather, seed)


def condition(season: Season, time: Time, weather: Weather, seed: int = 0) -> Light:
    """This season, time and weather; what they leave open (clouds, haze, tints) is the seed's.

    Raises ValueError for snow outside of winter.
    """
    if weather == "snow" and season != "winter":
        raise ValueError(f"there is no snow in {season}")
    rng = np.random.default_rng([seed, 91])
    azimuth, share = _SUN_AT[time]
    azimuth += float(rng.uniform(-22, 22))
    elevation = share * _NOON_ELEVATION[season] * float(rng.uniform(0.85, 1.1))
    if time in ("dawn", "dusk"):
        elevation = float(rng.uniform(1.0, 7.0))
    day = 0.0 if time == "night" else float(np.clip(0.32 + elevation / 22, 0.0, 1.0))
    air = _air(weather, rng)

    high = float(np.clip((elevation - 3) / 32, 0, 1))
    sun = _LOW_SUN + (_HIGH_SUN - _LOW_SUN) * high
    sun = sun * float(np.clip((elevation - 1) / 8, 0, 1)) ** 0.7 * air.sun
    blue = np.array([0.48, 0.52, 0.60]) * (0.75 + 0.25 * high)
    grey = np.array([0.76, 0.78, 0.81])
    sky = (blue + (grey - blue) * air.grey) * air.dim * day
    dark = np.array([0.085, 0.085, 0.105]) * float(rng.uniform(0.8, 1.4))

    zenith = np.array([74, 122, 192]) * (1 - air.grey) + np.array([172, 178, 186]) * air.grey
    far = np.array([192, 212, 230]) * (1 - air.grey) + np.array([205, 208, 211]) * air.grey
    glow = (1 - high) * (1 - 0.85 * air.grey)
    far = far + glow * (np.array([236, 196, 150]) - far)
    zenith = zenith * air.dim * (0.35 + 0.65 * day)
    far = far * air.dim * (0.6 + 0.4 * day)
    if time == "night":
        town = np.array([58, 48, 42]) if air.grey > 0.5 else np.array([34, 34, 44])
        zenith, far = np.array([14, 17, 30]) + 0.35 * air.grey * town, town
    if weather == "fog":
        zenith = far * 1.02
    wind = float(rng.uniform(0.5, 1.0))
    return Light(
        sun_azimuth=float(np.radians(azimuth)),
        sun_elevation=float(np.radians(max(elevation, 0.5))),
        sun_light=_tone(sun if day > 0 else 0 * sun),
        sky_light=_tone(sky + dark * (1 - day)),
        zenith=_tone(zenith),
        horizon=_tone(far),
        clouds=air.clouds,
        haze_range=air.haze_range,
        season=season,
        lamps=_lamps(day, air, rng),
        grain=float(rng.uniform(1.2, 2.2)),
        seed=seed,
        leaves=wind if season == "autumn" else 0.6 * wind if season == "spring" else 0.0,
        wet=air.wet,
        snow=air.snow,
        rain=air.rain,
        snowfall=air.snowfall,
        name=f"{season}-{time}-{weather}",
    )


@dataclass(frozen=True)
class _Air:
    """What the weather does: shares of the sun and of the sky's light, and how grey that is."""

    sun: float
    grey: float
    dim: float
    clouds: float
    haze_range: float
    wet: float = 0.0
    snow: float = 0.0
    rain: float = 0.0
    snowfall: float = 0.0


def _air(weather: Weather, rng: np.random.Generator) -> _Air:
    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    if weather == "clear":
        return _Air(1.0, 0.0, 1.0, between(0.05, 0.3), between(350, 700))
    if weather == "broken":
        return _Air(between(0.75, 1.0), 0.15, 1.08, between(0.4, 0.7), between(250, 500))
    if weather == "overcast":
        return _Air(0.0, 1.0, between(0.8, 1.0), 1.0, between(160, 400))
    if weather == "fog":
        return _Air(0.0, 1.0, between(0.8, 1.0), 0.0, between(22, 75))
    if weather == "rain":
        return _Air(0.0, 1.0, between(0.6, 0.85), 1.0, between(90, 220),
                    wet=between(0.7, 1.0), rain=between(0.3, 1.0))  # fmt: skip
    if weather == "wet":
        return _Air(between(0.0, 0.9), 0.45, 0.98, between(0.5, 0.9), between(250, 500),
                    wet=between(0.5, 0.95))  # fmt: skip
    falling = between(0.3, 1.0) if rng.random() < 0.45 else 0.0
    if falling:
        return _Air(0.0, 1.0, between(0.8, 0.95), 1.0, between(60, 160),
                    snow=between(0.5, 1.0), snowfall=falling)  # fmt: skip
    cloudy = rng.random() < 0.5
    return _Air(0.0 if cloudy else 0.95, 1.0 if cloudy else 0.1, 0.95, 1.0 if cloudy else 0.25,
                between(200, 450), snow=between(0.5, 1.0))  # fmt: skip


def _lamps(day: float, air: _Air, rng: np.random.Generator) -> float:
    """Lamps are lit at night, mostly at dusk, and here and there on a dark day."""
    if day == 0:
        return float(rng.uniform(0.45, 0.7))
    if day < 0.62:
        return float(rng.choice([0.0, 0.4, 0.7], p=[0.25, 0.25, 0.5]))
    return 0.4 if air.rain > 0.6 or air.haze_range < 45 else 0.0


def _tone(values: np.ndarray) -> Tone:
    red, green, blue = (float(value) for value in np.clip(values, 0, 255))
    return red, green, blue
