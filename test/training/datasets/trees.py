"""Small trees in the layouts of the published datasets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image


def save_image(path: Path) -> Path:
    """Write an image of a few pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    format_name = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    Image.new("RGB", (4, 3), (200, 100, 0)).save(path, format_name)
    return path


def save_images(root: Path, paths: Iterable[str]) -> None:
    """Write images at paths relative to root."""
    for path in paths:
        save_image(root / path)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_dbstruct(
    path: Path,
    database: Sequence[str],
    database_utm: Sequence[tuple[float, float]],
    queries: Sequence[str],
    query_utm: Sequence[tuple[float, float]],
) -> Path:
    """Write a .mat file as MATLAB does: cells of names [n, 1], positions [2, n]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {
        "whichSet": "train",
        "dbImageFns": _cells(database),
        "utmDb": np.array(database_utm, dtype=np.float64).reshape(-1, 2).T,
        "qImageFns": _cells(queries),
        "utmQ": np.array(query_utm, dtype=np.float64).reshape(-1, 2).T,
        "numImages": len(database),
        "numQueries": len(queries),
        "posDistThr": 10.0,
    }
    scipy.io.savemat(path, {"dbStruct": contents})
    return path


def gsv_cities(root: Path) -> Path:
    """Two cities; place 7 of London has 4 images and place 8 has 3, Phoenix place 7 has 5."""
    places = {
        "London": [(7, 4, "51.5074", "-0.12780"), (8, 3, "51.51", "-0.1300")],
        "Phoenix": [(7, 5, "33.4484000", "-112.074")],
    }
    header = ("place_id", "year", "month", "northdeg", "city_id", "lat", "lon", "panoid")
    for city, sizes in places.items():
        rows = [
            (place, 2014 + i, 6, 30 * i, city, lat, lon, f"pano{place}{i}")
            for place, count, lat, lon in sizes
            for i in range(count)
        ]
        write_table(root / "Dataframes" / f"{city}.csv", header, rows)
        for place, year, month, heading, _, lat, lon, pano in rows:
            name = f"{city}_{place:07d}_{year:04d}_{month:02d}_{heading:03d}_{lat}_{lon}_{pano}.jpg"
            save_image(root / "Images" / city / name)
    return root


def at_name(
    easting: float, northing: float, heading: object = "", tile: object = "", pano: str = "p"
) -> str:
    """Return a name with `@` fields in zone 10S."""
    return (
        f"@{easting:010.2f}@{northing:010.2f}@10@S@037.77386@-122.43590@{pano}@{tile}@{heading}"
        "@@@@201311@@.jpg"
    )


def sf_xl(root: Path) -> Path:
    """One place with 4 images, one beside it with 4, and one with 1."""
    names = [at_name(549670.0 + i, 4178000.0, 10 + i) for i in range(4)]
    names += [at_name(549680.0 + i, 4178000.0, 10 + i) for i in range(4)]
    names.append(at_name(549999.0, 4178000.0, 300))
    save_images(root / "processed" / "train" / "37.70", names)
    return root


def panorama(number: int) -> list[str]:
    """Return the 24 images of a panorama of Pitts30k."""
    return [
        f"000/{number:06d}_pitch{pitch}_yaw{yaw}.jpg" for pitch in (1, 2) for yaw in range(1, 13)
    ]


def pitts30k(root: Path) -> Path:
    """Two panoramas in the database and two queries, all at one place, as published."""
    database, queries = panorama(100) + panorama(101), panorama(200) + panorama(201)
    where = [(584220.0, 4477500.0)]
    write_dbstruct(
        root / "datasets" / "pitts30k_train.mat",
        database,
        where * len(database),
        queries,
        where * len(queries),
    )
    save_images(root, database)
    save_images(root / "queries_real", queries)
    return root


def msls(root: Path, cities: Sequence[str] = ("amman", "zurich")) -> Path:
    """Each city: 3 images in the database, 2 queries and a panorama, all of one place."""
    header = ("", "key", "lon", "lat", "ca", "captured_at", "pano")
    for number, city in enumerate(cities):
        latitude, longitude = 31.95 + number, 35.93 + number
        for side, count in (("database", 3), ("query", 2)):
            rows = [
                (i, f"{side}{i}", longitude, latitude, 120.9 + i, "2016-05-04", False)
                for i in range(count)
            ]
            rows.append((count, f"{side}-pano", longitude, latitude, 120.0, "2016-05-04", True))
            folder = root / "train_val" / city / side
            write_table(folder / "raw.csv", header, rows)
            save_images(folder / "images", [f"{row[1]}.jpg" for row in rows])
    return root


def _cells(names: Sequence[str]) -> np.ndarray:
    cells = np.empty((len(names), 1), dtype=object)
    cells[:, 0] = names
    return cells
