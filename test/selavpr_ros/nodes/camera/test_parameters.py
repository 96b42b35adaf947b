from __future__ import annotations

from selavpr_ros.nodes.camera.parameters import CameraSettings
from selavpr_ros.nodes.localization.parameters import PARAMETERS
from selavpr_ros.nodes.loop_closure.parameters import LOOP_PARAMETERS
from selavpr_ros.nodes.ros.parameter_table import table_of


def test_both_nodes_have_the_parameters_of_a_camera_first_and_with_the_same_limits() -> None:
    shared = table_of(CameraSettings)
    for table in (PARAMETERS, LOOP_PARAMETERS):
        rows = {row.name: row for row in table}
        for row in shared:
            own = rows[row.name]
            assert (own.default, own.change) == (row.default, row.change)
            assert (own.choices, own.bounds) == (row.choices, row.bounds)


def test_only_the_silence_is_judged_anew_at_run_time() -> None:
    (at_once,) = (row for row in table_of(CameraSettings) if row.change.name == "AT_ONCE")
    assert at_once.name == "image_timeout"
