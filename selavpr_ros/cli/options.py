"""What the commands' parsers share."""

from __future__ import annotations

import argparse
import json
import math
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from selavpr_core.errors import SelaVPRError


class Parser(argparse.ArgumentParser):
    """A parser with examples below its help, and with mistakes reported on one line.

    examples: (command, what it does).
    """

    def __init__(
        self, *args: Any, examples: Sequence[tuple[str, str]] = (), **options: Any
    ) -> None:
        if examples:
            lines = [f"  {command}\n      {meaning}" for command, meaning in examples]
            options["epilog"] = "\n".join(["examples:", *lines])
        if "description" in options:
            options["description"] = textwrap.fill(options["description"], 90)
        options["formatter_class"] = argparse.RawDescriptionHelpFormatter
        options["allow_abbrev"] = False  # an option added later must not break a script
        super().__init__(*args, **options)
        self.register("action", None, _Noted)  # for all that name no other action

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line on stderr."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class _Noted(argparse.Action):
    """Keeps a value, and that its option was given: `given` has their names, in order."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep what was given in the namespace."""
        setattr(namespace, self.dest, values)
        if option_string is not None:
            namespace.given = [*getattr(namespace, "given", ()), option_string]


def add_model_options(
    parser: argparse.ArgumentParser, default_weights: str, precision: str = "--precision"
) -> None:
    """Add --weights, --device, --precision (or what else it is to be called) and --batch-size."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--weights",
        metavar="WEIGHTS",
        help="tiny (trained weights that come with selavpr_ros), base or large (published weights,"
        " fetched once), base-float or large-float (published weights of the float branch alone),"
        " a .pth or .safetensors file, or"
        " random:PRESET with PRESET one of base, large, small, tiny (untrained, for tests);"
        f" default: {default_weights}",
    )
    group.add_argument(
        "--device", default="auto", metavar="DEVICE", help="auto, cpu or cuda; default: auto"
    )
    group.add_argument(
        precision,
        dest="precision",
        default="auto",
        choices=("auto", "fp32", "fp16", "bf16"),
        help="auto: fp16 on CUDA, fp32 on the CPU; default: auto",
    )
    group.add_argument(
        "--batch-size",
        type=positive_integer,
        default=8,
        metavar="N",
        help="images described at once; default: 8",
    )


def add_topic_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options that name a bag's topics, and return their group."""
    group = parser.add_argument_group("topics", "found by their type where only one fits")
    group.add_argument("--image-topic", metavar="TOPIC", help="Image or CompressedImage")
    group.add_argument("--fix-topic", metavar="TOPIC", help="NavSatFix")
    group.add_argument(
        "--pose-topic",
        metavar="TOPIC",
        help="Odometry, PoseStamped or PoseWithCovarianceStamped: headings, and positions where"
        " there is no GPS",
    )
    group.add_argument("--imu-topic", metavar="TOPIC", help="Imu with orientation: headings")
    return group


def refuse_without_queries(
    options: argparse.Namespace, model: Collection[str], search: Collection[str] = ()
) -> None:
    """Refuse what says something about --queries alone, where there are none.

    That are the topics, and the options named here: `model` of what describes the frames, `search`
    of which are looked for, and how.

    Raises:
        SelaVPRError: naming the first of them.
    """
    if options.queries is not None:
        return
    for name in getattr(options, "given", ()):
        if name.endswith("-topic"):
            about = "is a topic of the bag of --queries"
        elif name in model:
            about = "says how the frames of --queries are described"
        elif name in search:
            about = "says how the frames of --queries are looked for"
        else:
            continue
        raise SelaVPRError(f"{name} {about}: give that, too")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON on standard output"
    )


def positive_integer(text: str) -> int:
    """Parse a whole number of at least 1, for argparse."""
    return _whole_number(text, "of at least 1", lambda number: number >= 1)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what parses a whole number in [least, most], for argparse."""

    def parse(text: str) -> int:
        return _whole_number(text, f"from {least} to {most}", lambda n: least <= n <= most)

    return parse


def _whole_number(text: str, which: str, fits: Callable[[int], bool]) -> int:
    """Parse a whole number that fits; `which` says in the message what does."""
    with suppress(ValueError):
        if fits(number := int(text)):
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {which}")


def positive(text: str) -> float:
    """Parse a finite number above 0, for argparse."""
    return _number(text, "above 0", lambda number: number > 0)


def not_negative(text: str) -> float:
    """Parse a finite number of at least 0, for argparse."""
    return _number(text, "of at least 0", lambda number: number >= 0)


def between(least: float, most: float) -> Callable[[str], float]:
    """Return what parses a number in [least, most], for argparse."""

    def parse(text: str) -> float:
        which = f"from {least:g} to {most:g}"
        return _number(text, which, lambda number: least <= number <= most)

    return parse


def surroundings(text: str) -> float:
    """Parse metres around a place, for argparse: from a centimetre to a hundred kilometres."""
    return between(0.01, 100_000)(text)


def _number(text: str, which: str, fits: Callable[[float], bool]) -> float:
    """Parse a finite number that fits; `which` says in the message what does."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number {which}")
    return number


def print_json(result: object) -> None:
    """Print as JSON; numbers that JSON does not have (NaN, infinity) become null."""
    json.dump(_without_nan(result), sys.stdout, indent=2, allow_nan=False)
    print()


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
