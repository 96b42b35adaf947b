"""What the commands share that describe images and search a map for them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from selavpr_core.errors import MapError, WeightsError
from selavpr_ros.candidates import CANDIDATE_LIMITS, USUAL_CANDIDATES
from selavpr_ros.cli.options import add_model_options, whole_number

if TYPE_CHECKING:
    from selavpr_core.describer import Describer
    from selavpr_core.retrieval import Localizer


def add_search_options(parser: argparse.ArgumentParser, precision: str = "--precision") -> None:
    """Add --mode and --candidates, and the options of the model (see add_model_options)."""
    group = parser.add_argument_group("search")
    group.add_argument(
        "--mode",
        choices=("two-stage", "code", "float"),
        help="two-stage: candidates by code, ranked by descriptor; default: two-stage, or the one"
        " that the map can do",
    )
    group.add_argument(
        "--candidates",
        type=whole_number(*CANDIDATE_LIMITS),
        default=USUAL_CANDIDATES,
        metavar="N",
        help=f"candidates of the first stage, as the nodes' parameter; default: {USUAL_CANDIDATES}",
    )
    add_model_options(parser, "those that the map was made with", precision)


def describer_for(path: Path, options: argparse.Namespace) -> Describer:
    """Load the model that the map in a folder was made with, or the one of --weights.

    Raises:
        MapError: no map there, or none that anything can be found in. WeightsError, DeviceError: as
            load_describer.
    """
    from selavpr_core.describer import load_describer
    from selavpr_core.place_map.manifest import read_manifest

    # Of the map first: weights take a while, or must be fetched.
    manifest = read_manifest(path)
    if not manifest.count:
        raise MapError(f"{path} has no places: add a bag with `selavpr build-map`")
    weights = options.weights or manifest.model.source
    try:
        return load_describer(weights, options.device, options.precision, options.batch_size)
    except WeightsError as error:
        if options.weights:
            raise
        raise type(error)(
            f"{error} (the map was made with {weights}: pass --weights if they are elsewhere)"
        ) from None


def opened(path: Path, describer: Describer, options: argparse.Namespace) -> Localizer:
    """Open the map in a folder for queries described by `describer`, in the mode asked for.

    Raises:
        MapError: as PlaceMap.load and Localizer.
    """
    from selavpr_core.place_map import PlaceMap
    from selavpr_core.retrieval import Localizer, best_mode

    place_map = PlaceMap.load(path, describer.fingerprint)
    return Localizer(place_map, options.mode or best_mode(place_map.model), options.candidates)
