"""What the README promises exists: targets, commands, parameters, topics, documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from selavpr_core import Describer, SelaVPR
from selavpr_core.place_map import MapWriter, ModelInfo
from selavpr_ros.nodes.localization.parameters import PARAMETERS


@pytest.fixture(scope="module")
def readme(project: Path) -> str:
    return (project / "README.md").read_text()


def test_its_make_targets_exist(readme: str, project: Path) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", readme, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (project / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_its_commands_exist(readme: str) -> None:
    lines = re.findall(r"^selavpr ((?:map )?[a-z-]+)", readme, re.MULTILINE)
    lines += re.findall(r"`selavpr ((?:map )?[a-z-]+)", readme)
    assert lines
    for command in sorted(set(lines)):
        done = subprocess.run(
            [sys.executable, "-m", "selavpr_ros.cli", *command.split(), "--help"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_its_table_has_every_parameter_with_its_default(readme: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*)`)? ?\| ", readme, re.MULTILINE))
    defaults = {p.name: str(p.default) for p in PARAMETERS}
    defaults |= {p.name: str(p.default).lower() for p in PARAMETERS if p.type_name == "bool"}
    assert rows == defaults


def test_its_documents_exist(readme: str, project: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert links
    assert not [link for link in links if not (project / link).exists()]


def test_its_library_example_is_ten_lines_that_run(
    readme: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 10

    describer = Describer(SelaVPR.from_pretrained("random:tiny"), device="cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8).repeat(20, 1)
    pictures = pictures.repeat(20, 2)
    described = describer(pictures)
    unknown = np.full(4, np.nan)
    monkeypatch.chdir(tmp_path)
    with (
        MapWriter("campus", ModelInfo.from_describer(describer), None) as writer,
        writer.segment("drive", "a test") as segment,
    ):
        places = np.array([[10.0 * i, 0, 0] for i in range(4)])
        stamps = np.arange(4)
        segment.add(*described, places, unknown, unknown, unknown, stamps)
    cv2.imwrite("photo.jpg", pictures[2][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])

    # Published weights cannot be had everywhere.
    exec(compile(example.replace('"base"', '"random:tiny"'), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("2 ")
    assert lines[0].endswith("[20.  0.  0.]")
