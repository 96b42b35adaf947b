"""The sets by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from training.errors import DatasetError, EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.sets.frames import NORDLAND, SPED
from training.evaluation.sets.msls import msls_challenge, msls_val, msls_val_11084
from training.evaluation.sets.options import SetOptions
from training.evaluation.sets.positioned import EYNSHAM, PITTS30K, SVOX, TOKYO247

SETS: Mapping[str, Callable[[Path, SetOptions], EvaluationSet]] = {
    "pitts30k": PITTS30K,
    "tokyo247": TOKYO247,
    "msls-val": msls_val,
    "msls-val-11084": msls_val_11084,
    "msls-challenge": msls_challenge,
    **NORDLAND,
    "sped": SPED,
    "eynsham": EYNSHAM,
    **SVOX,
}

# Database images and queries, where the literature agrees on them.
_PUBLISHED = {
    "pitts30k": (10000, 6816),
    "tokyo247": (75984, 315),
    "msls-val": (18871, 747),
    "msls-val-11084": (18871, 11084),
    "nordland-a": (27592, 27592),
    "nordland-b": (27592, 2760),
    "nordland-c": (3450, 3450),
    "sped": (607, 607),
}


def load_set(
    name: str, root: Path, *, radius: float | None = None, heading: float | None = None
) -> EvaluationSet:
    """Return a named set from its files, in any layout that it was published in.

    Args:
        name: a key of SETS.
        root: the set's folder.
        radius: metres; None for the 25 of the sets that have positions.
        heading: degrees that headings may differ by in addition; None compares positions alone.

    Where the files are not as many as were published, the set's `variant` says so.

    Raises EvaluationError for an unknown name or an option that the set cannot follow,
    DatasetError where the files are not there or damaged.
    """
    if name == "nordland":
        raise EvaluationError(
            "Nordland has three splits: choose nordland-a (27,592 queries, 10 frames; the SelaVPR++"
            " paper's), nordland-b (2,760 queries, 1 frame) or nordland-c (3,450 queries, 2 frames)"
        )
    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise EvaluationError(f"no set {name!r}: {meant}There are {', '.join(SETS)}")
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder: give the folder of {name}")
    found = SETS[name](root, SetOptions(radius, heading))
    published = _PUBLISHED.get(name)
    if published is None or published == (len(found.database), len(found.queries)):
        return found
    note = f"which was published with {published[0]:,} database images and {published[1]:,} queries"
    return replace(found, variant=f"{found.variant}; not the whole set, {note}")
