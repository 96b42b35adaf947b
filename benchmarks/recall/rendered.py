"""Rendered places that no training has seen: the test town of examples/places."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from tqdm import tqdm

from examples import places, streets
from examples.places.files import render_evaluation
from training.errors import EvaluationError
from training.evaluation import EvaluationSet, folders_set

SEED = 0
RADIUS = 10.0  # metres
HEADING = 45.0  # degrees
STREETS = 6  # of twelve: enough for a database beyond the 100 places that are re-ranked


def rendered(kept: Path | None, work: Path) -> EvaluationSet:
    """Return the set of the test town, rendered into `work`, or into `kept` unless it is there.

    kept: pictures stay there, in a folder for each version of the renderer: others' never serve.
    Raises EvaluationError where they cannot be written.
    """
    folder = work / "rendered" if kept is None else kept / renderer_version()
    if not folder.is_dir():
        try:
            _render_into(folder)
        except OSError as error:
            if not folder.is_dir():  # nor made by another process meanwhile
                raise EvaluationError(
                    f"{folder} cannot be written: {error.strerror or error}"
                ) from error
    return folders_set(
        folder / "test" / "database",
        folder / "test" / "queries",
        radius=RADIUS,
        heading=HEADING,
        name="rendered",
    )


def _render_into(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".rendering.", dir=folder.parent) as making,
        tqdm(desc="rendering", unit="drive", leave=False, disable=None) as bar,
    ):

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        made = Path(making, "places")
        made.mkdir()
        render_evaluation(made, SEED, len(os.sched_getaffinity(0)), progress, streets=STREETS)
        made.replace(folder)  # complete or not there


def renderer_version() -> str:
    """Return 16 hexadecimal digits that change whenever what is rendered may."""
    digest = hashlib.sha256(f"{SEED} {STREETS}\n".encode())
    for package in (streets, places):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(path.name.encode() + b"\n" + path.read_bytes())
    return digest.hexdigest()[:16]
