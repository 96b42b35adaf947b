from __future__ import annotations

import math

import pytest

from selavpr_ros.nodes.localization.parameters import PARAMETERS, Settings
from selavpr_ros.nodes.ros.parameter_table import (
    Parameter,
    describe_settings,
    nearest,
    unknown_parameters,
)

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


def problem(name: str, value: object) -> str:
    text = TABLE[name].problem(value)
    assert text is not None
    assert "\n" not in text
    assert name in text
    return text


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_every_row_is_complete_and_its_default_fits(parameter: Parameter) -> None:
    assert parameter.problem(parameter.default) is None
    assert parameter.description.endswith(".")
    assert parameter.type_name in ("bool", "integer", "double", "string")
    if isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
        assert parameter.bounds is not None


def test_the_settings_are_the_table() -> None:
    assert {p.name: p.default for p in PARAMETERS} == vars(Settings())


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
        ("image_timeout", 0.0),
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
    lines = unknown_parameters(unknown, PARAMETERS)
    assert len(lines) == 3
    assert lines[0].endswith("did you mean use_sim_time?")
    assert lines[1] == (
        "parameter thresold does not exist and is ignored; did you mean similarity_threshold?"
    )
    assert lines[2].startswith("parameter zzz does not exist and is ignored; parameters are: ")


def test_configuration_as_one_block() -> None:
    block = describe_settings({"map": "", "publish_tf": True}, {"places": "12"})
    assert block.splitlines() == [
        "  map         (empty)",
        "  publish_tf  true",
        "  places      12",
    ]
