from __future__ import annotations

import json
import re
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from selavpr_ros.nodes.localization.outcome import NotInMap
from selavpr_ros.nodes.localization.outputs.state import state_json
from selavpr_ros.nodes.localization.parameters import PARAMETERS
from selavpr_ros.nodes.loop_closure.parameters import LOOP_PARAMETERS
from selavpr_ros.nodes.ros.parameter_table import Parameter
from test.packaging.project import calls


class Documented(NamedTuple):
    """A node: its parameter and launch files' name, the folder of its modules, its document."""

    file: str
    table: tuple[Parameter, ...]
    folder: str
    outputs: str
    document: str
    services: int


NODES = [
    Documented("localize", PARAMETERS, "localization", "outputs/publishers", "node.md", 3),
    Documented("loop_closure", LOOP_PARAMETERS, "loop_closure", "outputs", "loop_closure.md", 2),
]


@pytest.fixture(scope="module", params=NODES, ids=lambda node: node.file)
def node(request: pytest.FixtureRequest) -> Documented:
    described: Documented = request.param
    return described


@pytest.fixture(scope="module")
def values(node: Documented, project: Path) -> dict[str, Any]:
    text = (project / "config" / f"{node.file}.yaml").read_text()
    (section,) = yaml.safe_load(text).items()
    assert section[0] == "/**", "the file must hold for any namespace"
    values: dict[str, Any] = section[1]["ros__parameters"]
    return values


def test_the_parameter_file_has_every_parameter_at_its_default(
    values: dict[str, Any], node: Documented
) -> None:
    assert values == {parameter.name: parameter.default for parameter in node.table}
    for parameter in node.table:
        assert parameter.problem(values[parameter.name]) is None


def published_topics(project: Path, node: Documented) -> dict[str, str]:
    """Topic -> message type of everything the node publishes below its name."""
    import ast

    nodes = project / "selavpr_ros" / "nodes"
    tree = ast.parse((nodes / node.folder / f"{node.outputs}.py").read_text())
    topics = {}
    for call in calls(tree, "create"):
        kind, topic = call.args[:2]
        assert isinstance(kind, ast.Name)
        assert isinstance(topic, ast.Constant)
        topics[str(topic.value)] = kind.id
    assert topics
    return topics


# Fixes, texts and paths whose poses have frames of their own cannot be shown.
NOT_SHOWN = {"~/fix", "~/state", "~/closure", "~/closure_info"}


def test_rviz_shows_what_the_node_publishes(node: Documented, project: Path) -> None:
    shows = {
        "PointCloud2": "PointCloud2",
        "PoseArray": "PoseArray",
        "PoseWithCovariance": "PoseWithCovarianceStamped",
        "Pose": "PoseStamped",
        "MarkerArray": "MarkerArray",
        "Image": "Image",
    }
    topics = published_topics(project, node)
    view = yaml.safe_load((project / "config" / f"{node.file}.rviz").read_text())
    shown = {}
    for display in view["Visualization Manager"]["Displays"]:
        if "Topic" in display:
            name = display["Topic"]["Value"].replace(f"{node.folder}_node/", "~/")
            shown[name] = display
            assert topics[name] == shows[display["Class"].split("/")[1]]
    assert set(shown) == set(topics) - NOT_SHOWN
    latched = {name for name in shown if shown[name]["Topic"]["Durability Policy"] != "Volatile"}
    assert latched == {"~/map_places"} & set(topics)
    # Markers are in this frame by default: without TF nothing else can be drawn.
    frame = view["Visualization Manager"]["Global Options"]["Fixed Frame"]
    assert frame == {"localization": "map", "loop_closure": "odom"}[node.folder]


def test_rviz_shows_every_kind_of_marker(node: Documented, project: Path) -> None:
    folder = project / "selavpr_ros" / "nodes" / node.folder
    (messages,) = folder.rglob("messages.py")
    view = yaml.safe_load((project / "config" / f"{node.file}.rviz").read_text())
    (display,) = (
        display
        for display in view["Visualization Manager"]["Displays"]
        if display["Class"].endswith("/MarkerArray")
    )
    assert display["Namespaces"]
    for namespace in display["Namespaces"]:
        assert f'"{namespace}"' in messages.read_text()


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    below = dropwhile(lambda line: not line.startswith("|"), section.splitlines())
    lines = list(takewhile(lambda line: line.startswith("|"), below))
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


@pytest.fixture(scope="module")
def document(node: Documented, project: Path) -> str:
    return (project / "docs" / node.document).read_text()


def test_the_documented_parameters_are_the_declared_ones(document: str, node: Documented) -> None:
    documented = {row[0].strip("`"): row[1:4] for row in rows(document, "Parameters")}
    declared = {}
    for p in node.table:
        default = str(p.default).lower() if isinstance(p.default, bool) else str(p.default)
        declared[p.name] = [p.type_name, f"`{default}`" if default else "", p.limits]
    assert documented == declared


def test_the_documented_topics_are_the_published_ones(
    document: str, node: Documented, project: Path
) -> None:
    documented = {row[0].strip("`"): row[1].split("/")[-1] for row in rows(document, "Published")}
    topics = published_topics(project, node) | {"/diagnostics": "DiagnosticArray"}
    documented.pop("/tf", None)  # by tf2's own broadcaster
    assert documented == topics


def test_the_documented_entries_of_the_state_are_the_published_ones(project: Path) -> None:
    document = (project / "docs" / "node.md").read_text()
    names = ", ".join(row[0] for row in rows(document, "The state"))
    published = json.loads(state_json(0, "map", NotInMap(0.4, 0.5)))
    assert names.replace("`", "").split(", ") == list(published)


def test_the_documented_verifications_are_the_detector_s_in_their_order(project: Path) -> None:
    source = (project / "selavpr_ros" / "loop_closure" / "detector.py").read_text()
    made = re.findall(r'^ +"(\w+)": \(settings\.(\w+)', source, re.MULTILINE)
    assert len(made) > 3
    document = (project / "docs" / "loop_closure.md").read_text()
    documented = [(row[0].strip("`"), row[1].strip("`")) for row in rows(document, "Verification")]
    assert documented == made


def test_the_documented_services_are_the_node_s(
    document: str, node: Documented, project: Path
) -> None:
    nodes = project / "selavpr_ros" / "nodes"
    folders = ("camera", node.folder)
    source = "".join((nodes / folder / "node.py").read_text() for folder in folders)
    offered = set(re.findall(r'create_service\(\s*\w+,\s*"(~/\w+)"', source))
    assert len(offered) == node.services
    assert {row[0].strip("`") for row in rows(document, "Services")} == offered


def test_the_documented_launch_arguments_are_the_declared_ones(
    document: str, node: Documented, project: Path
) -> None:
    source = (project / "launch" / f"{node.file}.launch.py").read_text()
    source += (project / "selavpr_ros" / "nodes" / "ros" / "launching.py").read_text()
    declared = set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', source))
    assert {row[0].strip("`") for row in rows(document, "Launch arguments")} == declared
