"""The towns to train in, and the one to be tested in, with their drives."""

from __future__ import annotations

from dataclasses import dataclass

from examples.places.drives import Visit
from selavpr_core.geodesy import Datum

TOWNS = 5  # to train in
_SEASONS = {
    "summer-noon": "2024-06",
    "summer-afternoon": "2024-07",
    "autumn-afternoon": "2024-10",
    "winter-dusk": "2025-01",
    "overcast": "2025-05",
}


@dataclass(frozen=True)
class Town:
    """A town of size x size crossings around a datum of its own, and its drives.

    seed: of its streets and houses; no two towns of one set have the same. folder: of its drives,
    relative to the output. at_names: whether pictures are named by position, not by number.
    """

    name: str
    folder: str
    at_names: bool
    seed: int
    size: int
    datum: Datum
    visits: tuple[Visit, ...]


def training_towns(seed: int) -> list[Town]:
    """Towns of four streets, each seen in three kinds of light."""
    lights = list(_SEASONS)
    return [
        Town(
            f"town{number}",
            f"train/town{number}",
            False,
            _world_seed(seed, number),
            3,
            Datum.at(47.0 + 0.1 * number, 8.3),
            tuple(
                # In each town another two of the five are left out.
                _visit(lights[(number + 2 * step) % len(lights)], 6.0, sway=0.7, turn=5.0)
                for step in range(3)
            ),
        )
        for number in range(1, TOWNS + 1)
    ]


def evaluation_town(seed: int) -> Town:
    """A larger town: its database is of a summer noon, its queries on a grey day."""
    return Town(
        "test",
        "test",
        True,
        _world_seed(seed, 0),
        4,
        Datum.at(46.5, 9.2),
        (
            _visit("summer-noon", 7.0, name="database"),
            _visit("overcast", 9.0, name="queries", sway=0.5),
        ),
    )


def _visit(
    light: str, spacing: float, name: str | None = None, sway: float = 0.3, turn: float = 3.0
) -> Visit:
    return Visit(name or light, light, _SEASONS[light], spacing, sway, turn)


def _world_seed(seed: int, number: int) -> int:
    return 1000 * seed + number
