"""Where the frames of maps lie to each other, found by what the maps show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.alignment import Alignment, align
from selavpr_core.place_map.frames import PlanarTransform
from selavpr_core.place_map.merging import check_one_model
from selavpr_core.place_map.segment import Progress
from selavpr_core.retrieval.asking import ask
from selavpr_core.retrieval.localizer import Localizer, best_mode

MOST_ASKED = 1000
"""Places of a map that are looked for in another: evenly spaced, enough for any turn and shift."""


def align_map(
    localizer: Localizer, source: PlaceMap, progress: Progress | None = None
) -> Alignment:
    """Find how a map's frame lies in that of another, by its places' best matches in it.

    Args:
        localizer: searches the other map.
        source: the map, of the same model.
        progress: is called with 1 for each place that was looked for.

    Raises:
        MapError: one of them has no places, or the matches do not agree (as align).
    """
    target = localizer.place_map
    if not len(source) or not len(target):
        raise MapError("a map without places cannot be aligned")
    places = np.unique(np.linspace(0, len(source) - 1, MOST_ASKED).astype(np.int64))
    matched = []
    for matches in ask(localizer, source, places.tolist(), 1):
        matched.append(matches[0].place)
        if progress is not None:
            progress(1)
    return align(
        source.positions[places],
        target.positions[matched],
        source.headings[places],
        target.headings[matched],
    )


@dataclass(frozen=True)
class AlignedMap:
    """How a map was aligned.

    Attributes:
        path: of the map.
        transform: from its frame into the first map's; None where both have a datum.
        to: the map that it was aligned with, None with a transform of None.
        alignment: what came of that.
    """

    path: Path
    transform: PlanarTransform | None
    to: Path | None
    alignment: Alignment | None


def align_maps(paths: Sequence[Path], progress: Progress | None = None) -> list[AlignedMap]:
    """Find how the frame of each map lies in the first map's.

    Maps with a datum need no search where the first has one too. The others are aligned with each
    of the maps before them; the one with the most matches that agree counts.

    Args:
        paths: folders of the maps, at least one.
        progress: is called with 1 for each place that was looked for.

    Raises:
        MapError: a map is missing or damaged or of another model, one has a datum that the first
            lacks, or one can be aligned with none of the others.
    """
    maps = [PlaceMap.load(path) for path in paths]
    first = maps[0]
    aligned = [AlignedMap(first.path, None, None, None)]
    for source in maps[1:]:
        check_one_model(first.path, first.model, source.path, source.model)
        if source.datum is not None and first.datum is None:
            raise MapError(
                f"{source.path} has a datum and {first.path} has none: name it first, or the new "
                "map would lose it"
            )
        if source.datum is not None:
            aligned.append(AlignedMap(source.path, None, None, None))
            continue
        aligned.append(_best(source, maps[: len(aligned)], aligned, progress))
    return aligned


def _best(
    source: PlaceMap, targets: list[PlaceMap], placed: list[AlignedMap], progress: Progress | None
) -> AlignedMap:
    found: list[AlignedMap] = []
    refusals: list[str] = []
    for target, place in zip(targets, placed, strict=True):
        if place.transform is None and target.datum != targets[0].datum:
            continue  # its frame is turned against the first map's by an angle that varies
        try:
            alignment = align_map(Localizer(target, best_mode(target.model)), source, progress)
        except MapError as error:
            refusals.append(f"with {target.path}: {error}")
            continue
        transform = alignment.transform
        if place.transform is not None:
            transform = place.transform.after(transform)
        found.append(AlignedMap(source.path, transform, target.path, alignment))
    if not found:
        raise MapError(f"{source.path} cannot be aligned {'; '.join(refusals)}")
    return max(found, key=lambda one: 0 if one.alignment is None else one.alignment.agreeing.sum())
