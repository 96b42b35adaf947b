from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selavpr_core import __version__
from selavpr_ros.cli.main import main
from test import shell
from test.selavpr_ros.cli.conftest import Command, write_drive

COMMANDS = [[], ["build-map"], ["map"], ["map", "info"], ["map", "merge"], ["query"]]
TOOLS = [["map", tool] for tool in ("view", "export", "prune")]


@pytest.mark.parametrize("command", [*COMMANDS, *TOOLS, ["convert-weights"]], ids=" ".join)
def test_help_says_what_a_command_does_and_gives_examples(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: selavpr")
    if command != ["map"]:
        assert "examples:\n  selavpr " in text
    assert max(len(line) for line in text.splitlines()) <= 120


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("build-map", "exit code is 0 if any bag gave a place"),
        ("build-map", "of the float branch alone"),
        ("query", "exit code is 0 if any image could be read"),
    ],
)
def test_help_names_what_a_script_must_know(
    command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert said in " ".join(capsys.readouterr().out.split())


def test_help_needs_no_heavy_library(project: Path) -> None:
    """Torch alone takes seconds to import."""
    code = (
        "import sys\n"
        "from selavpr_ros.cli.main import main\n"
        "try:\n    main(['build-map', '--help'])\n"
        "finally:\n"
        "    heavy = {'torch', 'cv2', 'numpy', 'rosbags', 'faiss'} & set(sys.modules)\n"
        "    print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=project, check=False
    )
    assert done.stderr == "[]\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"selavpr {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["map"],
        ["query", "campus"],
        ["build-map", "bag"],
        ["build-map", "bag", "--output", "map", "--keyframe-distance", "-1"],
        ["build-map", "bag", "--output", "map", "--keyframe-distance", "far"],
        ["build-map", "bag", "--output", "map", "--max-gap", "0"],
        ["build-map", "bag", "--output", "map", "--max-sigma", "nan"],
        ["build-map", "bag", "--output", "map", "--precision", "fp8"],
        ["build-map", "bag", "--output", "map", "--batch-size", "0"],
        ["build-map", "bag", "--output", "map", "--datum", "55.7"],
        ["build-map", "bag", "--output", "map", "--datum", "95,13"],
        ["build-map", "bag", "--output", "map", "--datum"],
        ["query", "map", "image", "--top", "0"],
        ["query", "map", "image", "--mode", "best"],
    ],
    ids=" ".join,
)
def test_a_mistyped_command_line_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("selavpr")
    assert error.count("\n") == 1
    assert "--help" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["map", "info", "nowhere"], "no place map at nowhere"),
        (["map", "merge", "nowhere", "--output", "new"], "no place map at nowhere"),
        (["query", "nowhere", "image.jpg"], "no such image"),
        (["build-map", "nowhere", "--output", "new"], "no such bag: nowhere"),
        (["calibrate", "nowhere", "--fix-topic", "/fix"], "--fix-topic is a topic of the bag of"),
        (["map", "view", "nowhere", "--output", "x", "--fix-topic", "/fix"], "of --queries: give"),
        (["calibrate", "nowhere", "--batch-size", "8"], "--batch-size says how the frames of"),
        (["calibrate", "nowhere", "--model-precision", "fp32"], "are described: give that, too"),
        (["map", "view", "nowhere", "--output", "x", "--weights", "tiny"], "--weights says how"),
        (["map", "view", "nowhere", "--output", "x", "--query-distance", "3"], "are looked for: "),
        # What it says holds for a map's own places as well.
        (["calibrate", "nowhere", "--mode", "code", "--precision", "0.9"], "no place map at"),
        (["convert-weights", "nowhere.pth", "--output", "x.safetensors"], "nowhere.pth"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("selavpr: ")
    assert error.count("\n") == 1
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_with_the_code_and_without_a_traceback(
    selavpr: Command, tmp_path: Path
) -> None:
    failed = selavpr("map", "info", tmp_path)
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("selavpr: ")
    assert failed.stderr.count("\n") == 1
    assert "Traceback" not in failed.stderr


def test_a_closed_pipe_is_quiet(street: Path, project: Path) -> None:
    """`selavpr map info campus | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [sys.executable, "-m", "selavpr_ros.cli", "map", "info", str(street / "campus")],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project,
    )
    os.close(writing)
    _, error = process.communicate(timeout=120)
    assert error == ""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_output_that_cannot_be_written_is_one_line(
    selavpr: Command, street: Path, options: list[str]
) -> None:
    """`selavpr map info campus > info.txt`, on a disk that is full."""
    with open("/dev/full", "w") as full:
        done = selavpr(
            "map", "info", street / "campus", *options, capture_output=False,
            stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    said = "selavpr: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_path_that_nobody_may_look_at_is_one_line(
    selavpr: Command, street: Path, tmp_path: Path
) -> None:
    """Path.exists and the like pass on that a name is too long, or a folder closed to them."""
    name = 300 * "n"
    done = selavpr("calibrate", street / "campus", "--queries", tmp_path / name)
    said = f"selavpr: {tmp_path / name}: File name too long\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.parametrize(("closed", "left"), [(1, "stderr"), (2, "stdout")])
def test_a_stream_that_is_closed_takes_nothing_with_it(
    selavpr: Command, tmp_path: Path, closed: int, left: str
) -> None:
    """`selavpr map info campus >&-`, as some daemons start their programs."""
    done = selavpr("map", "info", tmp_path, preexec_fn=lambda: os.close(closed))
    assert done.returncode == 2
    assert ("not a place map" in getattr(done, left)) == (left == "stderr")
    assert "Traceback" not in done.stdout + done.stderr


def test_names_that_the_terminal_cannot_show_are_shown_all_the_same(
    street: Path, tmp_path: Path, project: Path
) -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xa4")
    shutil.copytree(street / "campus", tmp_path / name)
    command = [sys.executable, "-m", "selavpr_ros.cli", "map", "info", name]
    for encoding, shown in (("ascii", rb"caf\udce9 \xe4: "), ("utf-8", b"caf\\udce9 \xc3\xa4: ")):
        variables = {"PYTHONPATH": str(project), "PYTHONIOENCODING": f"{encoding}:strict"}
        done = subprocess.run(
            command, capture_output=True, cwd=tmp_path, env=os.environ | variables, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert shown in done.stdout


def test_an_interrupt_of_any_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("selavpr_ros.cli.map_tools.info.report", interrupted)
    assert main(["map", "info", "campus"]) == 130
    assert capsys.readouterr().err == "selavpr: interrupted\n"


def test_an_interrupt_is_one_line_and_code_130(tmp_path: Path, project: Path) -> None:
    """Ctrl-C once the first of two bags is in the map."""
    bags = [write_drive(tmp_path / "one"), write_drive(tmp_path / "two", seconds=3000)]
    output = tmp_path / "map"
    options = ["--output", str(output), "--weights", "random:tiny", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "selavpr_ros.cli", "build-map", *map(str, bags), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "frames kept" in line:  # the first bag's line
            process.send_signal(signal.SIGINT)
            break
    out, rest = process.communicate(timeout=120)
    assert shell.status(process.returncode) == 130, (lines, rest)
    assert out == ""
    assert rest.startswith("selavpr: interrupted; 5 places of the bags that were finished")
    assert rest.count("\n") == 1
    assert main(["map", "info", str(output)]) == 0
