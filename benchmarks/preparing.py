"""Measure what making an index of many images takes: time, peak memory, disk.

Run `python -m benchmarks.preparing`; `--images` says how many. The images are made up, spread over
a city as dense as SF-XL, and all are one file on the disk under as many paths: their names are
parsed, each is looked for, sorted, numbered and written as a dataset's are. What a disk with
millions of files or a network takes to find them comes on top.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from training.datasets.at_names import candidate_or_reason
from training.datasets.source import Entry, Excluded
from training.index import PlaceIndex
from training.index.build import BuildSettings, Dataset, build_index
from training.index.division import Division

FILE = "@0540000.00@4170000.00@10@S@037.70000@-122.43590@@@000@@@@201311@@.jpg"
FOLDERS = 256


class MadeUp:
    """A source of images at random positions. See training.datasets.source.Source."""

    name = "made-up"
    version = 1
    notes: Sequence[str] = ()

    def __init__(self, root: Path, images: int) -> None:
        self.root = root
        self._images = images
        Image.new("RGB", (8, 8)).save(root / FILE)
        for folder in range(FOLDERS):
            (root / f"{folder:02x}").mkdir()

    def entries(self) -> Iterator[Entry]:
        """Yield as many images, each under another path."""
        random_numbers = random.Random(0)
        for number in range(self._images):
            folders = "/../".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))
            found = candidate_or_reason(f"{folders}/../{FILE}", "city")
            if isinstance(found, Excluded):
                yield found
                continue
            yield found[1]._replace(
                easting=540_000 + random_numbers.random() * 4000,
                northing=4_170_000 + random_numbers.random() * 4000,
                heading=random_numbers.random() * 360,
            )


def main() -> None:
    """Build an index and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=5_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start = _peak_mebibytes()
    with tempfile.TemporaryDirectory() as folder:
        root, output = Path(folder) / "images", Path(folder) / "index"
        root.mkdir()
        dataset = Dataset(MadeUp(root, options.images), Division(M=10, N=5, L=2, groups=50))
        begin = time.perf_counter()
        build_index([dataset], output, BuildSettings(), _progress)
        seconds, peak = time.perf_counter() - begin, _peak_mebibytes()
        begin = time.perf_counter()
        index = PlaceIndex.load(output)
        figures = {
            "images": options.images,
            "images in the index": index.images,
            "places": index.places,
            "seconds": round(seconds, 1),
            "peak memory before, MiB": start,
            "peak memory, MiB": peak,
            "index on disk, MB": round((output / "index.parquet").stat().st_size / 1e6, 1),
            "loading, seconds": round(time.perf_counter() - begin, 1),
            "peak memory with the index loaded, MiB": _peak_mebibytes(),
        }
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:40}{value:>14,}")


def _peak_mebibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _progress(what: str, total: int | None) -> Callable[[int], None]:
    bar = tqdm(desc=what, total=total, unit=" images", unit_scale=True, disable=None)
    return bar.update


if __name__ == "__main__":
    main()
