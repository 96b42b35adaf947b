from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from training.index import Row, write_index

# The least that has everything: two adapters, images of four patches.
SMALLEST = {
    "model": {
        "preset": "tiny",
        "placement": "last:2",
        "backbone": "random",
        "input_size": [28, 28],
    },
    "data": {"places": 6, "images": 2, "size": [28, 28], "workers": 0},
    "trainer": {"accelerator": "cpu"},
}


def write_places(root: Path, places: int = 24) -> Path:
    """Write images of two cities, each place of a pattern of its own; return the index."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(places):
        city, pattern = number % 2, random.integers(0, 256, (4, 4, 3))
        for image in range(3):
            pixels = np.clip(pattern + random.integers(-40, 41, (4, 4, 3)), 0, 255)
            name = f"{city}/{number}@{image}.png"
            (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(pixels.astype(np.uint8)).resize((32, 32))
            picture.save(root / "images" / name)
            rows.append(Row(name, "toy", f"city{city}", f"toy/city{city}/0.0.0", number))
    write_index(root / "index", rows, {"toy": root / "images"})
    return root / "index"


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 24 places in two cities: 4 batches of 6 places."""
    return write_places(tmp_path_factory.mktemp("places"))


@pytest.fixture
def config_file(tmp_path: Path, index: Path) -> Path:
    """A configuration of the smallest network, whose runs lie beside it in runs/."""
    values = {"name": "run", "output": str(tmp_path / "runs"), **SMALLEST}
    values["data"] = {**SMALLEST["data"], "index": str(index)}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
