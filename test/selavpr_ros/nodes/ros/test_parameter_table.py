from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from selavpr_ros.nodes.ros.parameter_table import (
    Change,
    describe_settings,
    nearest,
    parameter,
    table_of,
    unknown_parameters,
)


@dataclass(frozen=True)
class Settings:
    """One parameter of each kind, and two with names alike."""

    map: str = parameter("", "A folder.", Change.ON_LOAD_MAP)
    weights: str = parameter("", "A file.")
    device: str = parameter("auto", "Where it runs.", choices=("auto", "cpu", "cuda"))
    image_transport: str = parameter("raw", "How images come.", choices=("raw", "compressed"))
    similarity_threshold: float = parameter(0.5, "Least.", Change.AT_ONCE, bounds=(-2.0, 1.0))
    margin_threshold: float = parameter(0.0, "Least margin.", bounds=(-2.0, 2.0))
    candidates: int = parameter(100, "How many.", bounds=(1, 10_000))
    map_frame: str = parameter("map", "A frame.", is_frame=True)
    publish_tf: bool = parameter(False, "Whether.")


ROWS = table_of(Settings)
TABLE = {row.name: row for row in ROWS}


def problem(name: str, value: object) -> str:
    text = TABLE[name].problem(value)
    assert text is not None
    assert "\n" not in text
    assert name in text
    return text


def test_the_table_is_the_fields_of_the_class() -> None:
    assert {row.name: row.default for row in ROWS} == vars(Settings())
    assert [row.name for row in ROWS] == list(vars(Settings()))
    threshold = TABLE["similarity_threshold"]
    assert (threshold.description, threshold.change) == ("Least.", Change.AT_ONCE)
    assert TABLE["weights"].change is Change.ON_CONFIGURE
    assert all(row.problem(row.default) is None for row in ROWS)


def test_types_and_limits_in_words() -> None:
    assert {name: row.type_name for name, row in TABLE.items()} == {
        "map": "string",
        "weights": "string",
        "device": "string",
        "image_transport": "string",
        "similarity_threshold": "double",
        "margin_threshold": "double",
        "candidates": "integer",
        "map_frame": "string",
        "publish_tf": "bool",
    }
    assert TABLE["device"].limits == "one of: auto, cpu, cuda"
    assert TABLE["candidates"].limits == "1 to 10000"
    assert TABLE["map_frame"].limits == "a TF frame id without a leading slash"
    assert TABLE["map"].limits == ""


def test_an_integer_for_a_double_says_how_to_write_it() -> None:
    text = problem("similarity_threshold", 1)
    assert text == (
        "parameter similarity_threshold is 1 (integer) but must be of type double: write 1.0"
    )


def test_wrong_types_say_what_to_write() -> None:
    assert problem("candidates", 50.0).endswith("must be of type integer: write 50")
    assert problem("candidates", "many").endswith("write 100")
    assert problem("map", 2024).endswith('write "2024"')
    assert problem("map_frame", True).endswith('write "true"')
    assert problem("publish_tf", "yes").endswith("write false")
    assert problem("publish_tf", 1).endswith("write false")
    assert problem("device", ["cpu"]).endswith('write "auto"')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("similarity_threshold", 1.01),
        ("similarity_threshold", -2.01),
        ("margin_threshold", 2.01),
        ("candidates", 0),
    ],
)
def test_values_out_of_range_name_the_range(name: str, value: object) -> None:
    assert TABLE[name].limits in problem(name, value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value: float) -> None:
    assert "finite" in problem("similarity_threshold", value)


def test_a_misspelled_choice_is_recognised() -> None:
    assert problem("image_transport", "compresed").endswith(
        "must be one of: raw, compressed; did you mean compressed?"
    )
    assert problem("device", "tpu7x").endswith("one of: auto, cpu, cuda")


@pytest.mark.parametrize("value", ["", "/map"])
def test_frames_that_tf_would_refuse(value: str) -> None:
    assert "leading slash" in problem("map_frame", value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("similarity_treshold", "similarity_threshold"),
        ("threshold", "similarity_threshold"),
        ("thresold", "similarity_threshold"),
        ("Map", "map"),
        ("weight", "weights"),
        ("publish_tf2", "publish_tf"),
        ("camera_frame_rate", None),
    ],
)
def test_nearest_name(written: str, meant: str | None) -> None:
    assert nearest(written, TABLE) == meant


def test_unknown_parameters_are_named_with_the_nearest() -> None:
    unknown = ["zzz", "thresold", "qos_overrides./image.subscription.depth", "sim_time"]
    lines = unknown_parameters(unknown, ROWS)
    assert len(lines) == 3
    assert lines[0].endswith("did you mean use_sim_time?")
    assert lines[1] == (
        "parameter thresold does not exist and is ignored; did you mean similarity_threshold?"
    )
    assert lines[2].startswith("parameter zzz does not exist and is ignored; parameters are: map, ")


def test_configuration_as_one_block() -> None:
    block = describe_settings({"map": "", "publish_tf": True}, {"places": "12"})
    assert block.splitlines() == [
        "  map         (empty)",
        "  publish_tf  true",
        "  places      12",
    ]
