from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import SelaVPRError
from selavpr_ros.cli.options import (
    Parser,
    add_json_option,
    add_model_options,
    add_topic_options,
    between,
    not_negative,
    positive,
    positive_integer,
    print_json,
    refuse_without_queries,
    whole_number,
)


@settings(deadline=None)
@given(st.integers(1, 10**30))
def test_a_whole_number_is_read_as_it_is(number: int) -> None:
    assert positive_integer(str(number)) == number


@pytest.mark.parametrize("text", ["0", "-3", "1.0", "1e3", "", "ten", "nan", "0x10"])
def test_what_is_no_whole_number_of_at_least_1_is_named(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of at least 1"):
        positive_integer(text)


def test_whole_numbers_between_two_may_be_these() -> None:
    parse = whole_number(1, 10_000)
    assert [parse(text) for text in ("1", "10000")] == [1, 10_000]
    for text in ("0", "10001", "5.0", "ten"):
        with pytest.raises(argparse.ArgumentTypeError) as error:
            parse(text)
        assert str(error.value) == f"{text!r} is not a whole number from 1 to 10000"


@settings(deadline=None)
@given(st.floats(0, exclude_min=True, allow_infinity=False))
def test_a_number_is_read_as_it_is(number: float) -> None:
    assert positive(str(number)) == number
    assert not_negative(str(number)) == number


@pytest.mark.parametrize("text", ["-1", "-0.001", "nan", "inf", "-inf", "", "ten", "1e400"])
@pytest.mark.parametrize(
    ("parse", "which"),
    [(positive, "above 0"), (not_negative, "of at least 0"), (between(0, 180), "from 0 to 180")],
)
def test_numbers_that_are_none_or_have_no_end_are_refused(
    parse: Callable[[str], float], which: str, text: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        parse(text)
    assert str(error.value) == f"{text!r} is not a number {which}"


def test_zero_is_not_negative_and_not_positive() -> None:
    assert not_negative("0") == not_negative("-0") == 0
    with pytest.raises(argparse.ArgumentTypeError, match=r"'0\.0' is not a number above 0"):
        positive("0.0")


def test_numbers_between_two_may_be_these() -> None:
    cosine = between(-1, 1)
    assert [cosine(text) for text in ("-1", "-0.5", "1.0")] == [-1, -0.5, 1]
    with pytest.raises(argparse.ArgumentTypeError, match=r"'1\.01' is not a number from -1 to 1"):
        cosine("1.01")


def parser() -> Parser:
    parser = Parser(prog="selavpr query", description="word " * 40)
    add_model_options(parser, "those of the map")
    add_topic_options(parser)
    add_json_option(parser)
    return parser


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "0"], "argument --batch-size: '0' is not a whole number of at least 1"),
        (["--precision", "fp64"], "argument --precision: invalid choice"),
        (["--wei", "tiny"], "unrecognized arguments: --wei tiny"),  # an option added later ...
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(arguments)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"selavpr query: {message}")
    assert line.endswith("; see selavpr query --help")


def test_what_is_not_given_is_left_to_the_map_and_the_machine() -> None:
    options = parser().parse_args([])
    assert options.weights is None
    assert (options.device, options.precision, options.batch_size) == ("auto", "auto", 8)
    assert not options.json
    assert {options.image_topic, options.fix_topic, options.pose_topic, options.imu_topic} == {None}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--imu-topic", "/imu"], "--imu-topic is a topic of the bag of --queries"),
        (["--weights", "tiny"], "--weights says how the frames of --queries are described"),
        # The default, too: who writes it thinks that something is described.
        (["--device=auto"], "--device says how the frames of --queries are described"),
        (["--json", "--mode", "code"], "--mode says how the frames of --queries are looked for"),
        (["--mode", "code", "--device", "cpu"], "--mode says how the frames of"),
    ],
)
def test_what_only_queries_need_is_a_mistake_without(arguments: list[str], said: str) -> None:
    options = parser()
    options.add_argument("--queries")
    options.add_argument("--mode")
    options.add_argument("--radius")
    needing = ({"--weights", "--device"}, {"--mode"})
    for fine in ([], ["--radius", "3", "--json"], ["--queries", "bag", *arguments]):
        refuse_without_queries(options.parse_args(fine), *needing)
    with pytest.raises(SelaVPRError) as error:
        refuse_without_queries(options.parse_args(arguments), *needing)
    assert str(error.value).startswith(said)
    assert str(error.value).endswith(": give that, too")


JSON_LIKE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


def known(value: object, plain: Callable[[object], object]) -> object:
    """What a reader of JSON gets, by a walk of its own."""
    if isinstance(value, float):
        return None if math.isnan(value) or math.isinf(value) else value
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


@settings(deadline=None)
@given(value=JSON_LIKE)
def test_anything_printed_is_json_with_null_for_what_json_lacks(value: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []

        class Standard:
            write = staticmethod(written.append)

        patch.setattr("sys.stdout", Standard)
        print_json(value)

    def no_constant(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    def plain(inner: object) -> object:
        return known(inner, plain)

    assert json.loads("".join(written), parse_constant=no_constant) == plain(value)
