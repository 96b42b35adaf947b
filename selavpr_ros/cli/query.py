"""`selavpr query`: the places of a map that look like given images."""

from __future__ import annotations

import argparse
import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_core.errors import SelaVPRError
from selavpr_ros.cli.options import Parser, add_json_option, positive_integer, print_json
from selavpr_ros.cli.searching import add_search_options, describer_for, opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selavpr_core.describer import Describer
    from selavpr_core.place_map import PlaceMap
    from selavpr_core.retrieval import Localizer, Match

_logger = logging.getLogger(__name__)


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `selavpr`."""
    parser: Parser = commands.add_parser(
        "query",
        help="find images in a map",
        description="Find the places of a map that look like each image, best first. Headings are"
        " degrees counter-clockwise from east, similarity is 1 for the same view. An image that"
        " cannot be read is named on standard error, with --json also in 'failed'; the exit code is"
        " 0 if any image could be read.",
        examples=[
            ("selavpr query campus photo.jpg", "the best matches of one photo"),
            ("selavpr query campus photos/*.jpg --top 1 --json", "for a script"),
        ],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG or the like")
    parser.add_argument(
        "--top", type=positive_integer, default=5, metavar="N", help="matches printed; default: 5"
    )
    add_json_option(parser)
    add_search_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Describe the images, search the map, print the matches; fail where no image can be read."""
    path = Path(options.map)
    # Not by Path, to which a name that is too long, or in a folder nobody may enter, is an error.
    if not any(os.path.isfile(image) for image in options.images):
        for image in options.images:
            if os.path.isdir(image):
                inside = os.path.join(image, "*.jpg")
                raise SelaVPRError(f"{image} is a folder: give the images in it, as {inside}")
        raise SelaVPRError(f"no such image: {', '.join(options.images)}; check the path")
    describer = describer_for(path, options)
    localizer = opened(path, describer, options)
    place_map = localizer.place_map
    if not options.json:
        print(
            f"{path}: {len(place_map)} places, weights {describer.source}"
            f" (preset {describer.preset}), fingerprint {describer.fingerprint[:16]},"
            f" mode {localizer.mode}"
        )

    failures: dict[str, str] = {}
    answers = []
    for image, matches in _answers(options.images, describer, localizer, options.top, failures):
        rows = [_row(place_map, match) for match in matches]
        if options.json:
            answers.append({"image": image, "matches": rows})
        else:
            print(f"\n{image}\n{_table(rows)}")
    if options.json:
        print_json(
            {
                "map": str(path),
                "weights": describer.source,
                "preset": describer.preset,
                "pretrained": describer.pretrained,
                "fingerprint": describer.fingerprint,
                "mode": localizer.mode,
                "queries": answers,
                "failed": [{"image": image, "error": said} for image, said in failures.items()],
            }
        )
    if len(failures) == len(options.images):
        raise SelaVPRError("; ".join(f"{image}: {said}" for image, said in failures.items()))
    for image, said in failures.items():
        _logger.warning("%s: %s", image, said)
    if failures:
        _logger.warning("%d of %d images left out", len(failures), len(options.images))
    return 0


def _answers(
    images: Sequence[str],
    describer: Describer,
    localizer: Localizer,
    top: int,
    failures: dict[str, str],
) -> Iterator[tuple[str, list[Match]]]:
    """Yield each readable image with its matches; the others are noted in `failures`."""
    read: list[str] = []
    answered = 0
    for description in describer.stream(_pixels(images, read, failures)):
        columns = [part for part in description if part is not None]
        for i in range(len(columns[0])):
            code = None if description.codes is None else description.codes[i]
            descriptor = None if description.descriptors is None else description.descriptors[i]
            yield read[answered], localizer.localize(code, descriptor, top)
            answered += 1


def _pixels(
    images: Sequence[str], read: list[str], failures: dict[str, str]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the RGB pixels of each image that can be read, its name noted in `read` first."""
    import cv2
    import numpy as np

    for image in images:
        try:
            data = np.frombuffer(Path(image).read_bytes(), np.uint8)
        except OSError as error:
            failures[image] = error.strerror or "cannot be read"
        else:
            try:
                bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
            except cv2.error:  # of more pixels than it is ready to read
                bgr = None
            if bgr is not None:
                read.append(image)
                yield np.ascontiguousarray(bgr[:, :, ::-1])
                continue
            failures[image] = "is not an image that can be decoded"


def _row(place_map: PlaceMap, match: Match) -> dict[str, Any]:
    """Everything that is known about a matched place, in SI units and degrees of WGS84."""
    place = match.place
    position = place_map.positions[place]
    row: dict[str, Any] = {
        "rank": match.rank,
        "place": place,
        "similarity": match.similarity,
        "hamming": match.hamming,
        "hamming_rank": match.hamming_rank,
        "position": [float(value) for value in position],
        "position_sigma": float(place_map.position_sigmas[place]),
        "heading": float(place_map.headings[place]),
        "heading_sigma": float(place_map.heading_sigmas[place]),
        "stamp": int(place_map.stamps[place]),
        "session": place_map.segment_of(place).name,
        "latitude": None,
        "longitude": None,
        "altitude": None,
    }
    if place_map.datum is not None:
        latitude, longitude, altitude = place_map.datum.to_wgs84(position)
        row.update(latitude=float(latitude), longitude=float(longitude), altitude=float(altitude))
    return row


def _table(rows: Sequence[dict[str, Any]]) -> str:
    head = "rank   place  similarity  hamming         x         y     latitude    longitude"
    lines = [f"{head}  heading  session"]
    for row in rows:
        x, y, _ = row["position"]
        hamming = "-" if row["hamming"] is None else row["hamming"]
        where = f"{'-':>11}  {'-':>11}"
        if row["latitude"] is not None:
            where = f"{row['latitude']:11.7f}  {row['longitude']:11.7f}"
        heading = row["heading"]
        turned = "-" if math.isnan(heading) else f"{math.degrees(heading):.0f}"
        lines.append(
            f"{row['rank'] + 1:4d}  {row['place']:6d}  {row['similarity']:10.3f}  {hamming:>7}"
            f"  {x:8.1f}  {y:8.1f}  {where}  {turned:>7}  {row['session']}"
        )
    return "\n".join(lines)
