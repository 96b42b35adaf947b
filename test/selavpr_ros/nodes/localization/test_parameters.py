from __future__ import annotations

import pytest

from selavpr_ros.nodes.localization.parameters import PARAMETERS, Settings
from selavpr_ros.nodes.ros.parameter_table import Change, Parameter

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_every_row_is_complete_and_its_default_fits(parameter: Parameter) -> None:
    assert parameter.problem(parameter.default) is None
    assert parameter.description.endswith(".")
    assert parameter.type_name in ("bool", "integer", "double", "string")
    if isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
        assert parameter.bounds is not None


def test_the_settings_are_the_table() -> None:
    assert {p.name: p.default for p in PARAMETERS} == vars(Settings())


def test_what_may_change_while_the_robot_drives() -> None:
    assert TABLE["map"].change is Change.ON_LOAD_MAP
    assert {name for name, row in TABLE.items() if row.change is Change.AT_ONCE} == {
        "image_timeout",
        "similarity_threshold",
        "margin_threshold",
        "candidates_published",
    }
