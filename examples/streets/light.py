"""Light, air and season: all that changes the look of a street but not its shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.streets.sprites import Season

Tone = tuple[float, float, float]  # gain of red, green and blue; 1 leaves a colour as it is


@dataclass(frozen=True)
class Light:
    """One condition in which a street is seen.

    A surface shows its colour times `sky_light`, plus `sun_light` times the cosine of the angle
    to the sun where the sun reaches it. Azimuth and elevation of the sun are radians in the map
    frame, counter-clockwise from east (REP-103). At `haze_range` metres 63 % of what is seen is
    haze. `leaves` are fallen ones (in spring petals), as the share of the ground under trees that
    they cover; `wet` and `snow` are how much the ground reflects and how much snow covers it and
    the roofs, `rain` and `snowfall` how densely either falls; all 0..1.
    """

    sun_azimuth: float
    sun_elevation: float
    sun_light: Tone
    sky_light: Tone
    zenith: Tone  # colours of the sky, 0..255
    horizon: Tone
    clouds: float  # share of the sky that is covered, 0..1
    haze_range: float
    season: Season
    lamps: float = 0.0  # lit windows and street lamps, 0..1
    grain: float = 2.0  # standard deviation of the sensor's noise in grey levels
    seed: int = 0  # clouds
    leaves: float = 0.0
    wet: float = 0.0
    snow: float = 0.0
    rain: float = 0.0
    snowfall: float = 0.0
    name: str = ""  # what it is, in a word or three

    @property
    def to_sun(self) -> NDArray[np.float64]:
        """Unit vector from the ground to the sun [3]."""
        flat = np.cos(self.sun_elevation)
        return np.array(
            [
                flat * np.cos(self.sun_azimuth),
                flat * np.sin(self.sun_azimuth),
                np.sin(self.sun_elevation),
            ]
        )

    @property
    def casts_shadows(self) -> bool:
        """Whether the sun is strong enough for a shadow to show."""
        return self.sun_elevation > np.radians(3) and max(self.sun_light) > 0.05


SUMMER_NOON = Light(
    sun_azimuth=np.radians(-60),
    sun_elevation=np.radians(52),
    sun_light=(0.86, 0.82, 0.74),
    sky_light=(0.50, 0.53, 0.60),
    zenith=(72, 122, 196),
    horizon=(190, 212, 232),
    clouds=0.3,
    haze_range=520.0,
    season="summer",
    seed=1,
)
SUMMER_AFTERNOON = Light(
    sun_azimuth=np.radians(-85),
    sun_elevation=np.radians(41),
    sun_light=(0.95, 0.76, 0.52),
    sky_light=(0.50, 0.53, 0.60),
    zenith=(86, 128, 190),
    horizon=(232, 214, 186),
    clouds=0.5,
    haze_range=300.0,
    season="summer",
    seed=9,
)
AUTUMN_AFTERNOON = Light(
    sun_azimuth=np.radians(200),
    sun_elevation=np.radians(21),
    sun_light=(0.98, 0.74, 0.44),
    sky_light=(0.46, 0.46, 0.54),
    zenith=(104, 136, 182),
    horizon=(238, 208, 166),
    clouds=0.45,
    haze_range=300.0,
    season="autumn",
    seed=2,
)
OVERCAST = Light(
    sun_azimuth=np.radians(-90),
    sun_elevation=np.radians(40),
    sun_light=(0.0, 0.0, 0.0),
    sky_light=(0.78, 0.80, 0.83),
    zenith=(168, 174, 182),
    horizon=(206, 208, 210),
    clouds=1.0,
    haze_range=260.0,
    season="summer",
    seed=3,
)
WINTER_DUSK = Light(
    sun_azimuth=np.radians(-130),
    sun_elevation=np.radians(2),
    sun_light=(0.0, 0.0, 0.0),
    sky_light=(0.34, 0.36, 0.46),
    zenith=(48, 60, 98),
    horizon=(206, 150, 122),
    clouds=0.4,
    haze_range=240.0,
    season="winter",
    lamps=1.0,
    grain=4.0,
    seed=4,
)
LIGHTS = {
    "summer-noon": SUMMER_NOON,
    "summer-afternoon": SUMMER_AFTERNOON,
    "autumn-afternoon": AUTUMN_AFTERNOON,
    "overcast": OVERCAST,
    "winter-dusk": WINTER_DUSK,
}
