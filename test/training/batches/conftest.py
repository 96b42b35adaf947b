from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.batches import BatchSettings
from training.index import PlaceIndex
from training.index.writing import Row, write_index

PLACES, IMAGES = 5, 5
SETTINGS = BatchSettings(places=3, images=4, size=(20, 30), randaugment=3)


@pytest.fixture
def settings() -> BatchSettings:
    """Batches of 3 places; RandAugment has something to draw."""
    return SETTINGS


@pytest.fixture
def index(tmp_path: Path) -> PlaceIndex:
    """Two cities, one of two groups, with 5 places of 5 images each; every image is another."""
    random = np.random.default_rng(0)
    root = tmp_path / "images"
    root.mkdir()
    rows = []
    for city, group in (("porto", 0), ("porto", 1), ("braga", 0)):
        for place in range(PLACES):
            for image in range(IMAGES):
                name = f"{city}_{group}_{place}_{image}.jpg"
                pixels = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).resize((48, 36)).save(root / name)
                rows.append(Row(name, "own", city, f"own/{city}/{group}", place))
    write_index(tmp_path / "index", rows, {"own": root})
    return PlaceIndex.load(tmp_path / "index")
