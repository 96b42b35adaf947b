from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from selavpr_ros.nodes.outcome import NotInMap
from selavpr_ros.nodes.parameters import PARAMETERS
from selavpr_ros.nodes.state import state_json
from test.packaging.project import calls


@pytest.fixture(scope="module")
def values(project: Path) -> dict[str, Any]:
    text = (project / "config" / "localize.yaml").read_text()
    (section,) = yaml.safe_load(text).items()
    assert section[0] == "/**", "the file must hold for any namespace"
    values: dict[str, Any] = section[1]["ros__parameters"]
    return values


def test_the_parameter_file_has_every_parameter_at_its_default(values: dict[str, Any]) -> None:
    assert values == {parameter.name: parameter.default for parameter in PARAMETERS}
    for parameter in PARAMETERS:
        assert parameter.problem(values[parameter.name]) is None


def published_topics(project: Path) -> dict[str, str]:
    """Topic -> message type of everything the node publishes below its name."""
    import ast

    tree = ast.parse((project / "selavpr_ros" / "nodes" / "outputs.py").read_text())
    topics = {}
    for call in calls(tree, "create"):
        kind, topic = call.args[:2]
        assert isinstance(kind, ast.Name)
        assert isinstance(topic, ast.Constant)
        topics[str(topic.value)] = kind.id
    assert "~/pose" in topics
    return topics


def test_rviz_shows_topics_that_the_node_publishes(project: Path) -> None:
    shows = {
        "PointCloud2": "PointCloud2",
        "PoseArray": "PoseArray",
        "PoseWithCovariance": "PoseWithCovarianceStamped",
        "MarkerArray": "MarkerArray",
        "Image": "Image",
    }
    topics = published_topics(project)
    view = yaml.safe_load((project / "config" / "localize.rviz").read_text())
    shown = {}
    for display in view["Visualization Manager"]["Displays"]:
        if "Topic" in display:
            name = display["Topic"]["Value"].replace("localization_node/", "~/")
            shown[name] = display
            assert topics[name] == shows[display["Class"].split("/")[1]]
    # Fixes and texts have no display of their own in RViz.
    assert set(shown) == set(topics) - {"~/fix", "~/state"}
    assert shown["~/map_places"]["Topic"]["Durability Policy"] == "Transient Local"
    assert view["Visualization Manager"]["Global Options"]["Fixed Frame"] == "map"


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


@pytest.fixture(scope="module")
def document(project: Path) -> str:
    return (project / "docs" / "node.md").read_text()


def test_the_documented_parameters_are_the_declared_ones(document: str) -> None:
    documented = {row[0].strip("`"): row[1:4] for row in rows(document, "Parameters")}
    declared = {}
    for p in PARAMETERS:
        default = str(p.default).lower() if isinstance(p.default, bool) else str(p.default)
        declared[p.name] = [p.type_name, f"`{default}`" if default else "", p.limits]
    assert documented == declared


def test_the_documented_topics_are_the_published_ones(document: str, project: Path) -> None:
    documented = {row[0].strip("`"): row[1].split("/")[-1] for row in rows(document, "Published")}
    topics = published_topics(project) | {"/diagnostics": "DiagnosticArray"}
    del documented["/tf"]
    assert documented == topics


def test_the_documented_entries_of_the_state_are_the_published_ones(document: str) -> None:
    names = ", ".join(row[0] for row in rows(document, "The state"))
    published = json.loads(state_json(0, "map", NotInMap(0.4, 0.5)))
    assert names.replace("`", "").split(", ") == list(published)


def test_the_documented_services_are_the_node_s(document: str, project: Path) -> None:
    nodes = project / "selavpr_ros" / "nodes"
    source = "".join((nodes / f"{name}.py").read_text() for name in ("camera_node", "localization"))
    offered = set(re.findall(r'create_service\(\s*\w+,\s*"(~/\w+)"', source))
    assert len(offered) == 3
    assert {row[0].strip("`") for row in rows(document, "Services")} == offered


def test_the_documented_launch_arguments_are_the_declared_ones(
    document: str, project: Path
) -> None:
    source = (project / "launch" / "localize.launch.py").read_text()
    declared = set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', source))
    assert {row[0].strip("`") for row in rows(document, "Launch arguments")} == declared
