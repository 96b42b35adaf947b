"""The demo from beginning to end."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from examples.demo import processes
from examples.demo.drives import render_bags
from examples.demo.errors import CommandFailedError, DemoError
from examples.demo.halves import split
from examples.demo.topics import Topics
from selavpr_core.errors import SelaVPRError
from selavpr_core.weights import shipped
from selavpr_ros.cli.options import Parser

# What untrained weights call similar says nothing, and is about the same for all places.
UNTRAINED_THRESHOLD = 0.0
# From here on 92 to 96 % of the small model's answers are right, on places held back from its
# training (docs/models.md).
SMALL_THRESHOLD = 0.35
FRAMES = 200
_MARKER = ".made_by_the_demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code: 0; 2 with one line on stderr; 130 interrupted."""
    processes.end_on_sigterm()
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except CommandFailedError:
        return 2
    except SelaVPRError as error:
        print(f"demo: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="demo",
        description="Make a map from one bag, start the localization node, play another bag to it "
        "and show how far off its poses are. Without bags, a street is rendered and driven twice.",
    )
    parser.add_argument("--bag", type=Path, metavar="BAG", help="bag to make the map from")
    parser.add_argument(
        "--query", type=Path, metavar="BAG",
        help="bag to play to the node; without it, the frames of --bag are taken in turns",
    )  # fmt: skip
    parser.add_argument(
        "--weights", default=shipped.NAME, metavar="WEIGHTS",
        help=f"as of selavpr build-map; default: {shipped.NAME}",
    )  # fmt: skip
    parser.add_argument(
        "--frames", type=int, default=FRAMES, metavar="N",
        help=f"frames to play at most, chosen evenly over the query bag; default: {FRAMES}",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=Path("demo"), metavar="FOLDER",
        help="folder for all that the demo makes; default: demo",
    )  # fmt: skip
    for role in Topics._fields:
        parser.add_argument(
            f"--{role}-topic", metavar="TOPIC",
            help="of both bags; default: found by type where only one fits",
        )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


class _Voice:
    """What the demo says while it works: on stdout, or on stderr where stdout is for JSON."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()

    def say(self, text: str = "") -> None:
        print(text, file=self._stream, flush=True)

    def step(self, text: str) -> None:
        self.say(f"\n[{time.monotonic() - self._started:5.1f} s] {text}")

    def progress(self, name: str, done: int, total: int) -> None:
        """Show how far a step has come, in place on a terminal."""
        if self._stream.isatty():
            end = "\n" if done == total else ""
            print(f"\r  {name}: {done} of {total} frames", end=end, file=self._stream, flush=True)
        elif done == total:
            self.say(f"  {name}: {total} frames")


def _run(options: argparse.Namespace) -> None:
    _check_ros()
    if options.query is not None and options.bag is None:
        raise DemoError("--query needs --bag, the bag to make the map from")
    if options.frames < 1:
        raise DemoError("--frames must be at least 1")
    topics = Topics(options.image_topic, options.fix_topic, options.pose_topic)
    voice = _Voice(sys.stderr if options.json else sys.stdout)
    with _own_folder(options.output):
        _demonstrate(options, topics, voice)


def _demonstrate(options: argparse.Namespace, topics: Topics, voice: _Voice) -> None:
    folder = options.output
    map_path = folder / "map"
    map_bag, query_bag = _bags(options, folder, topics, voice)
    weights = options.weights
    voice.step(f"map from {map_bag} with the weights {weights}")
    summary = processes.run_for_json(_build_command(map_bag, topics, map_path, weights))
    voice.say(
        f"  {summary['places']} places from {summary['frames']} frames along "
        f"{summary['track_length']:.0f} m, {summary['size_bytes'] / 1e6:.1f} MB, "
        f"{summary['seconds']:.1f} s on {summary['device']}"
    )

    from examples.demo.illustration import illustrate
    from examples.demo.replay import NODE, play
    from examples.demo.report import Report
    from examples.demo.truth import Truth
    from selavpr_core.place_map import PlaceMap

    place_map = PlaceMap.load(map_path)
    truth = Truth.of(query_bag, place_map.datum, topics)
    voice.step(f"{NODE[1:]} in a process of its own, {query_bag} played to it")
    threshold = None
    if not summary["pretrained"]:
        threshold = UNTRAINED_THRESHOLD
        voice.say(
            f"  untrained weights: the node's similarity_threshold is {threshold:g}, for a pose of "
            "every frame"
        )
    elif weights == shipped.NAME:
        threshold = SMALL_THRESHOLD
        voice.say(f"  the node's similarity_threshold is {threshold:g}, which suits {weights}")
    replay = play(
        query_bag, topics, map_path, threshold, options.frames, folder,
        lambda done, total: voice.progress(query_bag.name, done, total),
    )  # fmt: skip
    report = Report.of(replay, truth, place_map)

    picture = folder / "tracks.png"
    illustrate(picture, report, place_map, truth.line, query_bag, topics)
    result = {
        "map": str(map_path),
        "map_bag": str(map_bag),
        "query_bag": str(query_bag),
        "picture": str(picture),
        "weights": weights,
        "pretrained": summary["pretrained"],
        "build": summary,
        **report.to_json(),
    }
    (folder / "report.json").write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    voice.step("done")
    for line in (*report.table(), "", *report.summary()):
        voice.say(line)
    _say_what_next(voice, folder, map_path, query_bag, picture)
    if options.json:
        print(json.dumps(result, indent=1, allow_nan=False))


def _build_command(bag: Path, topics: Topics, map_path: Path, weights: str) -> list[str]:
    return processes.python(
        "selavpr_ros.cli", "build-map", str(bag), "--output", str(map_path), "--weights", weights,
        "--json", *topics.flags(),
    )  # fmt: skip


def _check_ros() -> None:
    # Away from whatever else runs in this network; the node's process inherits it.
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise DemoError(
            f"the demo drives the real node and needs ROS 2 ({error}): run `make demo`, which "
            "installs it, or source a ROS 2"
        ) from error


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Hold the demo's folder, without the map of an earlier demo, for this run alone.

    Raises DemoError for a folder with things in it that no demo has made, or that one is using.
    """
    marker = folder / _MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not marker.exists() and any(folder.iterdir()):
            raise DemoError(f"{folder} is in use for something else: give another --output")
        with marker.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError(
                    f"another demo is running in {folder}: wait for it, or give another --output"
                ) from None
            if (folder / "map").exists():
                shutil.rmtree(folder / "map")
            yield
    except PermissionError as error:
        raise DemoError(
            f"{error.filename} cannot be written ({error.strerror}): give another --output"
        ) from error


def _bags(
    options: argparse.Namespace, folder: Path, topics: Topics, voice: _Voice
) -> tuple[Path, Path]:
    """The bag for the map and the bag for the queries."""
    for bag in (options.bag, options.query):
        if bag is not None and not bag.exists():
            raise DemoError(f"no such bag: {bag}; check the path")
    if options.query is not None and options.query.resolve() != options.bag.resolve():
        return options.bag, options.query
    made = folder / "map_bag", folder / "query_bag"
    if options.bag is not None and options.bag.resolve() in [bag.resolve() for bag in made]:
        raise DemoError(f"{options.bag} would be overwritten: copy it, or give another --output")
    for bag in made:
        if bag.exists():
            shutil.rmtree(bag)
    if options.bag is None:
        voice.step("two drives along a rendered street, at noon and in the afternoon")
        render_bags(*made, progress=voice.progress)
        return made
    voice.step(f"{options.bag} for both parts: every second frame makes the map, the rest ask")
    counts = split(options.bag, *made, topics)
    voice.say(f"  {counts[0]} frames for the map, {counts[1]} to find in it")
    return made


def _say_what_next(
    voice: _Voice, folder: Path, map_path: Path, query_bag: Path, picture: Path
) -> None:
    voice.say()
    for what, where in (
        ("picture of the matches", picture),
        ("map", map_path),
        ("all figures", folder / "report.json"),
        ("the node's log", folder / "node.log"),
    ):
        voice.say(f"{what:<24}{where}")
    # The environment of `make demo` is not on a newcomer's PATH.
    selavpr = "selavpr"
    if shutil.which(selavpr) is None:
        selavpr = os.path.relpath(Path(sys.executable).parent / selavpr)
    voice.say("next:")
    for command, meaning in (
        (f"{selavpr} map info {map_path}", "what is in the map"),
        (
            f"{selavpr} map view {map_path} --queries {query_bag} --output {folder}/map.html",
            "map, drive and matches on one page to look at",
        ),
        (f"{selavpr} query {map_path} PHOTO.jpg", "where a photo was taken"),
        ("make demo BAG=... QUERY=...", "the same with two bags of your own"),
    ):
        voice.say(f"  {command}\n      {meaning}")
