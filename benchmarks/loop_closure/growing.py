"""Measure a detector over a long drive: memory, and the work for a keyframe as they add up.

Run `python -m benchmarks.loop_closure.growing`; `--help` lists the options. The drive is made up: a
robot that sees new places, and after every 980 of them drives along 20 places of before. A place
has a random unit vector (2048 dimensions, as the base preset's; of the first 512 the code) and a
picture of random blots; when it is seen again, noise is added to its vector. Everything that a node
does with a keyframe but describing it is done and timed, with the settings that the node has.
Times are the processor's, so that a busy machine changes them little. Neither a model nor torch is
in the memory that is shown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.session import CODE_BYTES, resident, resident_text
from selavpr_core.place_map import ModelInfo, Session
from selavpr_ros.loop_closure import LoopClosureSettings, LoopDetector
from selavpr_ros.planar_pose import PlanarPose
from training.command import Parser, run

if TYPE_CHECKING:  # importing it takes the memory of torch, which is not what is measured
    from selavpr_core.describer import Description

NEW, AGAIN = 980, 20  # keyframes at new places, and then at places of before
SPACING = 2.0  # metres
ROW = 1000  # places in a row of the area that is driven
NOISE = 0.5  # length of what is added to a place's vector of length 1 when it is seen again
BLOTS = (24, 32)  # of a picture, rows and columns


class Visit(NamedTuple):
    """A keyframe of the drive: the place, and the keyframe that saw it first, None if this one."""

    place: int
    first: int | None


def route(count: int, seed: int) -> Iterator[Visit]:
    """Yield `count` keyframes."""
    rng = np.random.default_rng([seed, 1])
    seen: list[int] = []  # keyframe that saw each place first
    number = 0
    while number < count:
        for _ in range(NEW):
            yield Visit(len(seen), None)
            seen.append(number)
            number += 1
        start = int(rng.integers(0, len(seen) - 2 * AGAIN))
        for place in range(start, start + AGAIN):
            yield Visit(place, seen[place])
            number += 1


def pose(place: int) -> PlanarPose:
    """Return where a place lies: rows of a large area, one after another."""
    row, column = divmod(place, ROW)
    return PlanarPose(SPACING * column, 10 * SPACING * row, 0.0, 0.0)


def described(visit: Visit, number: int, dim: int) -> Description:
    """Make up the codes [1, CODE_BYTES] and descriptors [1, dim] of a keyframe."""
    vector = _unit(np.random.default_rng([visit.place, 2]), dim)
    if visit.first is not None:
        vector += NOISE * _unit(np.random.default_rng([number, 3]), dim)
        vector /= np.linalg.norm(vector)
    codes = np.packbits(vector[: 8 * CODE_BYTES] >= 0)
    return cast("Description", (codes[None], vector[None]))


def _unit(rng: np.random.Generator, dim: int) -> NDArray[np.float32]:
    drawn = rng.standard_normal(dim, np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn), np.float32)


def picture(place: int, width: int) -> NDArray[np.uint8]:
    """Make up what a place looks like: [3 / 4 width, width, 3] uint8."""
    blots = np.random.default_rng([place, 4]).integers(0, 256, (*BLOTS, 3), dtype=np.uint8)
    size = (width, 3 * width // 4)
    return np.asarray(cv2.resize(blots, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def measure(
    keyframes: int,
    reports: Sequence[int],
    dim: int,
    width: int,
    folder: Path,
    show: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Drive; `show` each report as it is measured, and return all and the sums as JSON values."""
    model = ModelInfo("0" * 64, "made up", "base", False, dim, CODE_BYTES)
    before = resident()
    milliseconds: dict[str, list[float]] = {"new": [], "again": []}
    table, right, false, answerable = [], 0, 0, 0
    now: list[Description] = []
    with Session(model, folder) as session:
        detector = LoopDetector(lambda _: now.pop(), session, LoopClosureSettings())
        for number, visit in enumerate(
            tqdm(route(keyframes, 0), "driving", keyframes, leave=False, disable=None)
        ):
            if number == keyframes:
                break
            now.append(described(visit, number, dim))
            shown = picture(visit.place, width)
            started = time.process_time()
            added = detector.add_keyframe(number * 10**9, pose(visit.place), shown)
            spent = 1e3 * (time.process_time() - started)
            milliseconds["new" if visit.first is None else "again"].append(spent)
            answerable += visit.first is not None
            if added.closure is not None:
                near = abs(pose(visit.place).x - _x(added.closure.match.pose)) <= 25.0
                right, false = right + near, false + (not near)
            if number + 1 in reports or number + 1 == keyframes:
                table.append(
                    {
                        "keyframes": number + 1,
                        "resident_mb": resident(),
                        "ms": {kind: _figures(each) for kind, each in milliseconds.items()},
                    }
                )
                show(table[-1])
                milliseconds = {"new": [], "again": []}
        rejected = dict(detector.rejected)
    return {
        "resident_before_mb": before,
        "reports": table,
        "seen_again": answerable,
        "closures": right + false,
        "false": false,
        "rejected": rejected,
    }


def _x(where: PlanarPose | None) -> float:
    return float("nan") if where is None else where.x


def _figures(milliseconds: Sequence[float]) -> dict[str, float] | None:
    """Median and 99th percentile of the newest thousand."""
    if not milliseconds:
        return None
    newest = np.array(milliseconds[-1000:])
    return {"median": float(np.median(newest)), "p99": float(np.percentile(newest, 99))}


def _row(report: dict[str, Any]) -> str:
    cells = "".join(f"{_cell(report['ms'][kind]):>20}" for kind in ("new", "again"))
    return f"{report['keyframes']:>10,}{cells}{resident_text(report['resident_mb']):>32}"


def _cell(figures: dict[str, float] | None) -> str:
    return "-" if figures is None else f"{figures['median']:.2f} ({figures['p99']:.2f})"


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for."""
    parser = Parser(
        prog="python -m benchmarks.loop_closure.growing",
        description=(__doc__ or "").split("\n")[0],
    )
    parser.add_argument("--keyframes", type=int, default=100_000)
    parser.add_argument("--descriptor-dim", type=int, default=2048)
    parser.add_argument("--picture", type=int, default=128, metavar="WIDTH", help="pixels")
    parser.add_argument(
        "--reports",
        type=int,
        nargs="+",
        default=[1000, 3000, 10_000, 30_000, 60_000],
        help="after so many",
    )
    parser.add_argument("--folder", type=Path, help="on the disk to use (default: $TMPDIR)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options: argparse.Namespace = parser.parse_args(arguments)
    faiss.omp_set_num_threads(1)
    cv2.setNumThreads(1)
    if not options.json:
        print(
            f"{options.descriptor_dim}-d descriptors, {CODE_BYTES}-byte codes, pictures of"
            f" {options.picture} x {3 * options.picture // 4}; processor ms for a keyframe: median"
            " (99th percentile)"
        )
        print(
            f"{'keyframes':>10}{'new place':>20}{'seen again':>20}{'resident MB':>32}", flush=True
        )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(
            options.keyframes,
            options.reports,
            options.descriptor_dim,
            options.picture,
            Path(folder),
            lambda report: None if options.json else print(_row(report), flush=True),
        )
    if options.json:
        print(json.dumps(result, indent=2, allow_nan=False))
    else:
        print(f"memory before the session: {resident_text(result['resident_before_mb'])}")
        print(
            f"{result['closures']} closures of {result['seen_again']} keyframes at places of"
            f" before, {result['false']} false"
        )


if __name__ == "__main__":
    import sys

    sys.exit(run(main))
