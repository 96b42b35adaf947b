"""Measure a session that grows: memory and time per keyframe, and what saving it costs.

Run `python -m benchmarks.session`; `--help` lists the options. Keyframes of the base preset are
made up (random unit descriptors, codes of their first 512 dimensions, thumbnails of random bytes)
and go the way of a node's: each is looked for among all but the newest, added, and saved now and
then. Making them up is not timed. Everything runs in one process without a network, on one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from tqdm import tqdm

from selavpr_core.place_map import Autosave, ModelInfo, Place, PlaceMap, Session, read_manifest
from selavpr_core.retrieval import GrowingIndex

CODE_BYTES = 64
EXCLUDED = 50  # newest keyframes, which are not looked for
MEASURED = 1000  # keyframes before each report that its medians are of
STEPS = ("search", "append", "release")


def resident() -> dict[str, float]:
    """Return this process's anonymous and file-backed resident memory in MB (10**6 bytes)."""
    pages = [int(count) for count in Path("/proc/self/statm").read_text().split()]
    return {"anonymous": (pages[1] - pages[2]) * 4096 / 1e6, "file": pages[2] * 4096 / 1e6}


def keyframe(rng: np.random.Generator, number: int, dim: int, blob: bytes, size: int) -> Place:
    """Make up a keyframe, two metres after the one before."""
    descriptor = rng.standard_normal(dim, np.float32)
    descriptor /= np.linalg.norm(descriptor)
    start = int(rng.integers(0, len(blob) - size))
    return Place(
        code=np.packbits(descriptor[: 8 * CODE_BYTES] >= 0),
        descriptor=descriptor,
        position=(2.0 * number, 0.0, 0.0),
        stamp=number * 10**9,
        heading=0.0,
        thumbnail=blob[start : start + size],
    )


def timed(
    seconds: list[float], call: Callable[..., object], *arguments: object, **options: object
) -> None:
    """Call, and note how long it took."""
    started = time.perf_counter()
    call(*arguments, **options)
    seconds.append(time.perf_counter() - started)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Drive, and return what was measured at each report."""
    model = ModelInfo("0" * 64, "synthetic", "base", False, arguments.descriptor_dim, CODE_BYTES)
    rng = np.random.default_rng(0)
    blob = rng.bytes(1 << 24)
    before = resident()
    session = Session(model, folder / "spool")
    index = GrowingIndex(session)
    seconds: dict[str, list[float]] = {step: [] for step in STEPS}
    autosaves: list[float] = []
    reports = []
    segments = 0
    autosave = Autosave(session, folder / "map", "drive", "made up")
    for number in tqdm(range(arguments.keyframes), "driving", unit="keyframe"):
        place = keyframe(rng, number, arguments.descriptor_dim, blob, arguments.thumbnail_bytes)
        timed(seconds["search"], index.localize, place.code, place.descriptor)
        timed(seconds["append"], session.append, place)
        timed(seconds["release"], index.release, number + 1 - EXCLUDED)
        count = number + 1
        if count % arguments.autosave == 0:
            timed(autosaves, autosave.save)
            segments = max(segments, len(read_manifest(folder / "map").segments))
        if count in arguments.reports or count == arguments.keyframes:
            reports.append(
                {
                    "keyframes": count,
                    "resident_mb": resident(),
                    "ms": {step: figures(values) for step, values in seconds.items()},
                }
            )
    whole: list[float] = []
    timed(whole, autosave.finish)
    after_save = resident()
    session.close()
    return {
        "resident_before_mb": before,
        "reports": reports,
        "autosaves_s": autosaves,
        "most_segments": segments,
        "finish_s": whole[0],
        "resident_after_saving_mb": after_save,
        "places_saved": len(PlaceMap.load(folder / "map")),
    }


def figures(seconds: list[float]) -> dict[str, float]:
    """Return median and 99th percentile in ms of the newest measurements, and drop all."""
    newest = np.array(seconds[-MEASURED:])
    seconds.clear()
    return {
        "median": 1e3 * float(np.median(newest)),
        "p99": 1e3 * float(np.percentile(newest, 99)),
    }


def print_report(result: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print the figures as a table."""
    print(
        f"{arguments.descriptor_dim}-d descriptors, {CODE_BYTES}-byte codes, thumbnails of "
        f"{arguments.thumbnail_bytes:,} bytes; ms per keyframe: median (99th percentile) of the "
        f"last {MEASURED}"
    )
    print(f"{'keyframes':>10}" + "".join(f"{step:>18}" for step in STEPS), end="")
    print(f"{'resident MB: anonymous + file':>32}")
    for report in result["reports"]:
        times = (report["ms"][step] for step in STEPS)
        cells = "".join(f"{time['median']:>9.3f} ({time['p99']:6.3f})" for time in times)
        print(f"{report['keyframes']:>10,}{cells}{resident_text(report['resident_mb']):>32}")
    print(f"memory before the session: {resident_text(result['resident_before_mb'])}")
    if result["autosaves_s"]:
        autosaves = np.array(result["autosaves_s"])
        print(
            f"{len(autosaves)} autosaves of {arguments.autosave} keyframes: median "
            f"{np.median(autosaves):.2f} s, longest {autosaves.max():.1f} s, "
            f"{autosaves.sum():.0f} s in all; at most {result['most_segments']} segments"
        )
    print(
        f"{result['places_saved']:,} places saved as one segment in {result['finish_s']:.1f} s; "
        f"memory then: {resident_text(result['resident_after_saving_mb'])}"
    )


def resident_text(memory: dict[str, float]) -> str:
    """Return resident memory as text, in MB."""
    total = memory["anonymous"] + memory["file"]
    return f"{memory['anonymous']:.0f} + {memory['file']:.0f} = {total:.0f}"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.session", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--keyframes", type=int, default=100_000)
    parser.add_argument("--descriptor-dim", type=int, default=2048)
    parser.add_argument("--thumbnail-bytes", type=int, default=20_000)
    parser.add_argument("--autosave", type=int, default=1000, help="keyframes from one to the next")
    parser.add_argument(
        "--reports", type=int, nargs="+", default=[1000, 10_000, 50_000], help="after so many"
    )
    parser.add_argument("--folder", type=Path, help="on the disk to use (default: $TMPDIR)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        result = measure(arguments, Path(temporary))
    if arguments.json:
        versions = {"faiss": faiss.__version__, "numpy": np.__version__}
        print(json.dumps({"machine": platform.processor(), **versions, **result}))
    else:
        print_report(result, arguments)


if __name__ == "__main__":
    main()
