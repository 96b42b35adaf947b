"""The example from beginning to end."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from examples.slam.accuracy import accuracy
from examples.slam.circuit import circuit
from examples.slam.constraint import constraint
from examples.slam.drift import DriftModel, drifted
from examples.slam.errors import SlamError
from examples.slam.frames import Footage, Frame
from examples.slam.picture import Comparison, draw
from examples.slam.pose_graph import LoopEdge, PoseGraph, installed
from examples.slam.recorded import Recording
from examples.slam.track import driven
from selavpr_core.errors import SelaVPRError
from selavpr_core.weights import shipped
from selavpr_ros.cli.options import Parser, add_json_option, not_negative, print_json
from selavpr_ros.loop_closure import LoopClosureSettings
from selavpr_ros.progress import progress_bar

if TYPE_CHECKING:
    from examples.slam.closing import Loops

SPACING = 4.0  # metres between the pictures of the rendered drive
KEPT = 0.5  # a closure's weight in the graph, from which on it counts as kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example and return the exit code: 0; 2 with one line on stderr; 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except SelaVPRError as error:
        print(f"slam: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("slam: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m examples.slam",
        description="Let the odometry of a drive drift, find where the camera sees a place again,"
        " and correct the track by it with a pose graph. Without a bag, a circuit through a town"
        " is rendered. See docs/slam.md.",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("slam"), metavar="DIR",
        help="folder for the picture, the report and the graph; default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--bag", type=Path, metavar="BAG", help="images with odometry, which stands for the truth"
    )
    parser.add_argument("--image-topic", metavar="TOPIC", help="default: found by its type")
    parser.add_argument("--pose-topic", metavar="TOPIC", help="default: found by its type")
    parser.add_argument(
        "--weights", default=shipped.NAME, metavar="WEIGHTS",
        help=f"as of selavpr build-map; default: {shipped.NAME}",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=_similarity, metavar="SIMILARITY",
        default=LoopClosureSettings().similarity_threshold,
        help="least similarity of a closure, -1 to 1; default: %(default)g",
    )  # fmt: skip
    parser.add_argument(
        "--drift", type=not_negative, default=1.0, metavar="FACTOR",
        help=f"times as much drift as 1, which is {DriftModel()}".replace("%", "%%"),
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="N", help="another seed, other drift; default: 0"
    )
    add_json_option(parser)
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _similarity(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not -1 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from -1 to 1")
    return number


def _run(options: argparse.Namespace) -> None:
    installed()  # before minutes of work
    if options.bag is not None and not options.bag.exists():
        raise SlamError(f"no such bag: {options.bag}; check the path")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        _close(options)
    except OSError as error:
        where = error.filename or options.output
        raise SlamError(f"{where} cannot be written ({error.strerror or error})") from error


def _close(options: argparse.Namespace) -> None:
    recording = None
    if options.bag is not None:
        recording = Recording(options.bag, options.image_topic, options.pose_topic)
    footage = circuit(SPACING) if recording is None else recording.footage()
    drift = DriftModel().times(options.drift)
    loops = _loops(footage, drift, options)
    if len(loops.stamps) < 2:
        raise SlamError(f"{footage.name} has no two frames that odometry covers")

    edges = [
        LoopEdge(c.match.number, c.query.number, constraint(c.to_json())) for c in loops.closures
    ]
    graph = PoseGraph(loops.odometry, edges)
    graph.write(options.output / "graph.g2o")
    solution = graph.solve()
    truth = footage.truth.at(loops.stamps)
    errors = accuracy(loops.odometry, truth), accuracy(solution.poses, truth)
    kept = solution.weights >= KEPT
    comparison = Comparison(truth, loops.odometry, solution.poses, errors, edges, kept)
    _illustrate(options.output / "slam.png", comparison, drift, options.seed, footage.name)
    report = {
        "drive": footage.name,
        "weights": options.weights,
        "threshold": options.threshold,
        "drift": str(drift),
        "seed": options.seed,
        "metres": round(driven(truth), 1),
        "keyframes": len(loops.stamps),
        "skipped_frames": 0 if recording is None else recording.skipped,
        "camera_known": footage.camera is not None,
        "closures": len(edges),
        "closures_kept": int(kept.sum()),
        "rejected": dict(loops.rejected),
        "alignment": "rotation and translation in the plane, least squares over all keyframes",
        "before": errors[0].to_json(),
        "after": errors[1].to_json(),
        "picture": str(options.output / "slam.png"),
        "graph": str(options.output / "graph.g2o"),
    }
    details = [
        {**closure.to_json(), "weight": float(weight)}
        for closure, weight in zip(loops.closures, solution.weights, strict=True)
    ]
    (options.output / "report.json").write_text(
        json.dumps({**report, "loop_closures": details}, indent=1, allow_nan=False) + "\n"
    )
    if options.json:
        print_json(report)
    else:
        _print(report)


def _loops(footage: Footage, drift: DriftModel, options: argparse.Namespace) -> Loops:
    from examples.slam.closing import find_loops
    from selavpr_core.describer import load_describer
    from selavpr_core.place_map import ModelInfo

    describer = load_describer(options.weights)
    return find_loops(
        _counted(footage),
        drifted(footage.truth, drift, options.seed),
        footage.camera,
        describer,
        ModelInfo.from_describer(describer),
        LoopClosureSettings(similarity_threshold=options.threshold),
    )


def _counted(footage: Footage) -> Iterator[Frame]:
    with progress_bar("frames", footage.count, "frame") as bar:
        for frame in footage.frames:
            yield frame
            bar.update()


def _illustrate(
    path: Path, comparison: Comparison, drift: DriftModel, seed: int, name: str
) -> None:
    before, after = (error.rms for error in comparison.errors)
    picture = draw(
        comparison,
        title=f"{comparison.kept.sum()} loop closures take the error from {before:.1f} m"
        f" to {after:.1f} m",
        subtitle=f"{driven(comparison.truth):.0f} m through {name}; odometry errs by {drift}"
        f" (seed {seed}); both tracks turned and shifted onto the truth",
    )
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(encoded.tobytes())


def _print(report: dict[str, Any]) -> None:
    rejected = ", ".join(f"{count} by {reason}" for reason, count in report["rejected"].items())
    camera = "camera known" if report["camera_known"] else "no camera_info"
    print(f"drive        {report['drive']}: {report['metres']} m, {report['keyframes']} keyframes")
    if report["skipped_frames"]:
        print(f"skipped      {report['skipped_frames']} frames: unreadable, or without odometry")
    print(f"drift        {report['drift']} (seed {report['seed']})")
    print(f"closures     {report['closures']} ({camera}); refused: {rejected or 'none'}")
    print(f"pose graph   kept {report['closures_kept']} of them")
    print(f"{'error':<12} {'ATE rms':>9} {'median':>9} {'largest':>9} {'heading':>9}")
    for when in ("before", "after"):
        error = report[when]
        print(
            f"{when:<12} {error['ate_rms_m']:7.2f} m {error['ate_median_m']:7.2f} m"
            f" {error['ate_largest_m']:7.2f} m {error['yaw_rms_deg']:5.1f} deg"
        )
    print(f"             aligned by {report['alignment']}")
    print(f"picture      {report['picture']}")
    print(f"graph        {report['graph']}")
