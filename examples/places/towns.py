"""The towns to train in, and those to validate and test in, with their drives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from examples.places.drives import Visit
from examples.streets import Rig, Sensor, condition, random_light, random_rig
from examples.streets.conditions import Time, Weather
from examples.streets.sprites import Season
from selavpr_core.geodesy import Datum

TOWNS = 16  # to train in
MOST_TOWNS = 900  # a seed's towns have numbers of their own below 1000
Evaluation = Literal["validation", "test"]
EVALUATIONS: tuple[Evaluation, ...] = get_args(Evaluation)
_NUMBERS: dict[Evaluation, int] = {"validation": 999, "test": 0}
_MONTHS: dict[Season, tuple[int, ...]] = {
    "spring": (4, 5), "summer": (6, 7, 8), "autumn": (10, 11), "winter": (1, 2, 12),
}  # fmt: skip

# What the database and the queries of an evaluation look like: one pair for each seed in turn.
_Look = tuple[Season, Time, Weather]
_PAIRS: tuple[tuple[_Look, _Look], ...] = (
    (("summer", "noon", "broken"), ("autumn", "morning", "overcast")),
    (("spring", "morning", "clear"), ("winter", "afternoon", "broken")),
    (("summer", "afternoon", "clear"), ("winter", "noon", "overcast")),
    (("autumn", "noon", "clear"), ("summer", "afternoon", "rain")),
    (("spring", "afternoon", "broken"), ("autumn", "noon", "wet")),
)


@dataclass(frozen=True)
class Town:
    """A town of rows x columns crossings around a datum of its own, and its drives.

    seed: of its streets and houses; no two towns of one set have the same. folder: of its drives,
    relative to the output. at_names: whether pictures are named by position, not by number.
    """

    name: str
    folder: str
    at_names: bool
    seed: int
    rows: int
    columns: int
    datum: Datum
    visits: tuple[Visit, ...]


def training_towns(seed: int, count: int = TOWNS) -> list[Town]:
    """Towns of seven inner streets, each driven four or five times, each time as never before."""
    return [
        Town(
            f"town{number}",
            f"train/town{number}",
            False,
            _world_seed(seed, number),
            3,
            4,
            Datum.at(47.0 + 0.05 * (number % 40), 8.3 + 0.1 * (number // 40)),
            tuple(
                _training_visit(100 * _world_seed(seed, number) + drive, drive)
                for drive in range(4 + number % 2)
            ),
        )
        for number in range(1, count + 1)
    ]


def _training_visit(seed: int, drive: int) -> Visit:
    rng = np.random.default_rng([seed, 81])
    light = random_light(seed)
    return Visit(
        f"{drive}-{light.name}",
        light,
        _date(2021 + drive, light.season, rng),
        spacing=6.0,
        rig=random_rig(seed),
        lane=float(rng.uniform(-0.6, 1.8)),
        sway=float(rng.uniform(0.2, 0.6)),
        turn=float(rng.uniform(2.0, 7.0)),
        parked=float(rng.uniform(0.1, 0.85)),
        busy=float(rng.uniform(0.2, 1.8)),
    )


def evaluation_town(seed: int, which: Evaluation = "test") -> Town:
    """A larger town, driven twice: for a database, and in other season and light for queries."""
    number = _NUMBERS[which]
    pair = _PAIRS[(seed + EVALUATIONS.index(which)) % len(_PAIRS)]
    world_seed = _world_seed(seed, number)
    rng = np.random.default_rng([world_seed, 82])
    sensor = Sensor(grain=1.5, vignette=0.1)
    rig = Rig(height=1.6, field_of_view=float(np.radians(rng.uniform(70, 78))), sensor=sensor)
    other = replace(
        rig,
        height=float(rng.uniform(1.3, 1.8)),
        pitch=float(np.radians(rng.uniform(-1.5, 2.0))),
        yaw=float(np.radians(rng.uniform(-2, 2))),
        field_of_view=rig.field_of_view + float(np.radians(rng.uniform(-5, 5))),
        sensor=replace(sensor, warmth=float(rng.uniform(-0.2, 0.2)), quality=85),
    )
    mapped, asked = (condition(*look, seed=10 * world_seed + n) for n, look in enumerate(pair))
    return Town(
        which,
        which,
        True,
        world_seed,
        4,
        4,
        Datum.at(46.5 + 0.1 * EVALUATIONS.index(which), 9.2),
        (
            Visit("database", mapped, _date(2024, mapped.season, rng), 4.8, rig),
            Visit(
                "queries", asked, _date(2025, asked.season, rng), 6.5, other,
                lane=float(rng.choice([0.4, 1.8])), sway=0.4,
            ),
        ),
    )  # fmt: skip


def _date(year: int, season: Season, rng: np.random.Generator) -> str:
    return f"{year}-{int(rng.choice(_MONTHS[season])):02d}"


def _world_seed(seed: int, number: int) -> int:
    return 1000 * seed + number
