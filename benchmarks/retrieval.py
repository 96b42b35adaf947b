"""Measure the search of a place map: stages, whole query, memory, and what bounds them.

Run `python benchmarks/retrieval.py`; `--help` lists the options. For each size a synthetic map is
written through MapWriter into a temporary folder, searched with queries that are all different
(a repeated query lets the processor learn its branches and is half as long), and removed. All
measurements take turns, so that ratios compare like with like, and all run on one thread. Medians
are printed; other programs at work on the machine show in the spread between minimum and median.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap
from selavpr_core.retrieval import Localizer
from selavpr_core.retrieval.hamming import HammingIndex

CODE_BYTES = 64
CANDIDATES = 100
QUERIES = 200
WRITE_ROWS = 10_000
SECONDS_EACH = 4.0  # of each measurement, at least MIN_ROUNDS and at most MAX_ROUNDS calls
MIN_ROUNDS, MAX_ROUNDS = 5, 2000

Query = tuple[NDArray[np.uint8], NDArray[np.float32]]


def write_map(folder: Path, places: int, dim: int) -> None:
    """Write a map of random unit descriptors, with codes from their first 512 dimensions."""
    model = ModelInfo("0" * 64, "synthetic", "none", False, dim, CODE_BYTES)
    rng = np.random.default_rng(places)
    with MapWriter(folder, model, None) as writer, writer.segment("synthetic", "") as segment:
        for start in tqdm(range(0, places, WRITE_ROWS), f"writing {places:,} places", leave=False):
            rows = min(WRITE_ROWS, places - start)
            descriptors = rng.standard_normal((rows, dim), np.float32)
            descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
            codes = np.packbits(descriptors[:, : 8 * CODE_BYTES] >= 0, axis=1)
            numbers = np.arange(start, start + rows)
            unknown = np.full(rows, np.nan)
            positions = np.stack([2.0 * numbers, 0 * numbers, 0 * numbers], axis=1)
            segment.add(codes, descriptors, positions, unknown, unknown, unknown, numbers)


def make_queries(place_map: PlaceMap) -> list[Query]:
    """Return noisy copies of places: cosine about 0.6, with the codes that belong to them."""
    rng = np.random.default_rng(1)
    queries = []
    for row in place_map.gather(rng.integers(0, len(place_map), QUERIES)):
        noise = rng.standard_normal(len(row), np.float32)
        descriptor = row + 1.3 * noise / np.linalg.norm(noise)
        descriptor /= np.linalg.norm(descriptor)
        queries.append((np.packbits(descriptor[: 8 * CODE_BYTES] >= 0), descriptor))
    return queries


def take_turns(
    measurements: dict[str, Callable[[Query], float]], queries: list[Query], label: str
) -> dict[str, NDArray[np.float64]]:
    """Run measurements (each returns seconds) in short blocks by turns; return their samples."""
    samples: dict[str, list[float]] = {name: [] for name in measurements}
    spent = dict.fromkeys(measurements, 0.0)
    done: set[str] = set()
    position = 0
    with tqdm(total=len(measurements), desc=label, leave=False) as bar:
        while len(done) < len(measurements):
            for name, measure in measurements.items():
                if name in done:
                    continue
                # Long searches do one call a turn, short ones enough to settle the caches.
                for _ in range(1 if spent[name] > 0.05 * (1 + len(samples[name])) else 20):
                    started = time.perf_counter()
                    samples[name].append(measure(queries[position % len(queries)]))
                    spent[name] += time.perf_counter() - started
                    position += 1
                count = len(samples[name])
                if count >= MAX_ROUNDS or (spent[name] > SECONDS_EACH and count >= MIN_ROUNDS):
                    done.add(name)
                    bar.update()
    return {name: np.array(values) for name, values in samples.items()}


def timed(call: Callable[[Query], object]) -> Callable[[Query], float]:
    """Return a measurement of a call."""

    def measure(query: Query) -> float:
        started = time.perf_counter()
        call(query)
        return time.perf_counter() - started

    return measure


def measure_times(place_map: PlaceMap, label: str) -> dict[str, dict[str, float]]:
    """Return median and minimum of every measurement, in milliseconds."""
    assert place_map.codes is not None
    two_stage = Localizer(place_map, "two-stage", CANDIDATES)
    stages: list[dict[str, float]] = []

    def whole(query: Query) -> None:
        two_stage.localize(*query)
        stages.append(two_stage.last_timings)

    codes = np.concatenate(place_map.codes)
    words = codes.view(np.uint64).ravel()
    direct = faiss.IndexBinaryFlat(8 * CODE_BYTES)
    direct.add(codes)
    stage = HammingIndex(place_map.codes, CODE_BYTES)
    float_only = Localizer(place_map, "float", CANDIDATES)
    samples = take_turns(
        {
            "whole": timed(whole),
            "hamming_alone": timed(lambda query: stage.search(query[0], CANDIDATES)),
            "faiss_direct": timed(lambda query: direct.search(query[0][None], CANDIDATES)),
            "code_pass": timed(lambda query: words.max()),
            "float_only": timed(lambda query: float_only.localize(*query)),
        },
        make_queries(place_map),
        label,
    )
    for name in ("hamming", "reranking"):
        samples[name] = np.array([timings[name] for timings in stages])
    return {
        name: {"median_ms": 1e3 * float(np.median(values)), "min_ms": 1e3 * float(values.min())}
        for name, values in samples.items()
    }


def resident() -> dict[str, float]:
    """Return this process's anonymous and file-backed resident memory in MB (10**6 bytes)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {
        "anonymous": int(fields["RssAnon"].split()[0]) * 1024 / 1e6,
        "file": int(fields["RssFile"].split()[0]) * 1024 / 1e6,
    }


def memory_of(folder: Path) -> dict[str, Any]:
    """Return what loading, preparing and 100 queries add to a process that does only that."""
    before = resident()
    started = time.perf_counter()
    place_map = PlaceMap.load(folder)
    load_seconds = time.perf_counter() - started
    steps = {"load": resident()}
    localizer = Localizer(place_map, "two-stage", CANDIDATES)
    steps["localizer"] = resident()
    for query in make_queries(place_map)[:100]:
        localizer.localize(*query)
    steps["queries"] = resident()
    added = {
        name: {kind: after[kind] - before[kind] for kind in before} for name, after in steps.items()
    }
    return {"load_s": load_seconds, "added_mb": added}


def measure(places: int, dim: int, folder: Path) -> dict[str, Any]:
    """Write a map, measure it and remove it."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "map"
        write_map(path, places, dim)
        # In a process of its own, where nothing else comes and goes.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory = pool.apply(memory_of, (path,))
        times = measure_times(PlaceMap.load(path), f"searching {places:,} places")
    median = {name: figures["median_ms"] for name, figures in times.items()}
    return {
        "places": places,
        "descriptor_dim": dim,
        "times": times,
        "ratios": {
            "hamming_to_code_pass": median["hamming_alone"] / median["code_pass"],
            "hamming_to_faiss": median["hamming_alone"] / median["faiss_direct"],
            "float_only_to_whole": median["float_only"] / median["whole"],
        },
        "memory": memory,
    }


def print_report(result: dict[str, Any]) -> None:
    """Print the figures of one map size."""
    times, ratios, memory = result["times"], result["ratios"], result["memory"]
    added = memory["added_mb"]
    print(f"\n{result['places']:,} places, {result['descriptor_dim']}-d, ms: median (minimum)")
    for name, text in (
        ("whole", f"whole query, {CANDIDATES} matches"),
        ("hamming", "  stage 1, Hamming"),
        ("reranking", "  stage 2, re-ranking"),
        ("hamming_alone", "Hamming stage by itself"),
        ("faiss_direct", "faiss IndexBinaryFlat.search"),
        ("code_pass", "one pass over the code memory"),
        ("float_only", "float-only search of all places"),
    ):
        print(f"  {text:34}{times[name]['median_ms']:10.4f} ({times[name]['min_ms']:.4f})")
    print(f"  {'Hamming stage / code pass':34}{ratios['hamming_to_code_pass']:10.2f}")
    print(f"  {'Hamming stage / faiss':34}{ratios['hamming_to_faiss']:10.2f}")
    print(f"  {'float-only / whole query':34}{ratios['float_only_to_whole']:10.1f}")
    for step, text in (
        ("load", f"memory added by loading ({memory['load_s']:.1f} s)"),
        ("localizer", "  with a localizer"),
        ("queries", "  after 100 queries"),
    ):
        anonymous, file = added[step]["anonymous"], added[step]["file"]
        print(f"  {text:34}{anonymous:10.1f} MB anonymous, {file:.1f} MB file-backed")


def main() -> None:
    """Measure every size that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--places", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--descriptor-dim",
        type=int,
        help="default: 4096, and 2048 from 1,000,000 places on (4 GB on disk)",
    )
    parser.add_argument("--folder", type=Path, help="where to write the maps (default: $TMPDIR)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    results = []
    for places in arguments.places:
        dim = arguments.descriptor_dim or (4096 if places < 1_000_000 else 2048)
        results.append(measure(places, dim, arguments.folder))
        if not arguments.json:
            print_report(results[-1])
    if arguments.json:
        versions = {"faiss": faiss.__version__, "numpy": np.__version__}
        print(json.dumps({"machine": platform.processor(), **versions, "results": results}))


if __name__ == "__main__":
    main()
