"""Small sets of the layout that the benchmark reads, of images that are one number each."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.recall.real import HELD_BACK
from test.bags_on_disk import write_bag

SECOND = 1_000_000_000
STEP = 4e-5  # degrees of latitude between the fixes, 4.45 m
EVEN, ODD = range(0, 9, 2), range(1, 9, 2)
LOOP = 10  # frames, 2 m from each other
FRAMES = 6  # of the circuit


def picture(number: int) -> np.ndarray:
    """A picture that stands for a number below 65,536."""
    return np.full((4, 6, 3), (number >> 8, number & 255, 0), np.uint8)


def write_circuit(folder: Path, white: np.ndarray) -> None:
    """Write the frames of the circuit, numbers 1 to 6, and its bitmap `white` [6, 6] bool."""
    loop = folder / "loop" / "rtabmap_samples"
    loop.mkdir(parents=True)
    for number in range(1, FRAMES + 1):  # lossless, whatever their name: colours are numbers
        Image.fromarray(picture(number)).save(loop / f"{number}.jpg", "PNG")
    Image.fromarray(np.where(white, 255, 0).astype(np.uint8)).save(loop.parent / "samples_GT.bmp")


def write_data(folder: Path) -> Path:
    """Write all sets below a folder and return it.

    On the circuit each frame of the second round has its own of the first. Photos of the street
    are numbers 100 to 108, frames of the loop 200 to 209, of the tower 300 on.
    """
    write_circuit(folder, np.eye(FRAMES, k=-3, dtype=bool))
    bags = folder / "bags"
    bags.mkdir()
    for name, numbers in (("lund_map_even", EVEN), ("lund_query_odd", ODD)):
        write_bag(
            bags / name,
            images=[((n + 1) * SECOND, picture(100 + n)) for n in numbers],
            fixes=[((n + 1) * SECOND, 55.7 + n * STEP, 13.2, 40.0, 9.0, 0) for n in numbers],
        )
    write_bag(
        bags / "toshiki_loop",
        images=[((n + 1) * SECOND, picture(200 + n)) for n in range(LOOP)],
        odometry=[((n + 1) * SECOND, 2.0 * n, 0.0, 0.0) for n in range(LOOP)],
    )
    _write_tower(folder / "tower")
    return folder


def tower_rows() -> list[tuple[str, str, str]]:
    """Label, area and split of each picture; half of the labels are held back."""
    labels = (HELD_BACK[0], HELD_BACK[1], "floor99", "floor98")
    rows = [(label, area, "gallery") for label in labels for area in ("hall", "stairs", "hall")]
    return rows + [(label, area, "query") for label in labels for area in ("stairs", "hall")]


def _write_tower(folder: Path) -> None:
    folder.mkdir()
    with (folder / "dataset.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image_path", "label", "split", "area"))
        for number, (label, area, split) in enumerate(tower_rows()):
            Image.fromarray(picture(300 + number)).save(folder / f"{number}.png")
            writer.writerow((f"{number}.png", label, split, area))
