"""What docs/training.md and the README say of training holds: commands, files, table of keys."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from examples.places import command as places
from training import evaluate, prepare, train
from training.evaluation import SETS
from training.run.config import Config, load_config

PARSERS = {
    "examples.places": places._parser,
    "training.prepare": prepare._parser,
    "training.train": train._parser,
    "training.evaluate": evaluate._parser,
}
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def guide() -> str:
    return (PROJECT / "docs" / "training.md").read_text()


def commands() -> list[str]:
    """Every command of the guide that starts a module, loops unrolled."""
    text = (PROJECT / "docs" / "training.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [command for block in blocks for command in unrolled(block)]


def unrolled(block: str) -> Iterator[str]:
    for name, values, body in re.findall(r"for (\w+) in (.*?); do\n(.*?)done", block, re.DOTALL):
        for value in values.split():
            filled = body.replace(f"${{{name}/:/_}}", value.replace(":", "_", 1))
            filled = filled.replace(f"${{{name}%++}}", value.removesuffix("++"))
            filled = filled.replace(f"${name}", value)
            assert "$" not in filled
            yield from (line.strip() for line in filled.splitlines())
    yield from re.sub(r"for .*?done\n", "", block, flags=re.DOTALL).splitlines()


def config_of(path: Path) -> Path:
    """The file itself, or for that of a run the one that the run was started with."""
    if path.parts[0] == "runs":
        return PROJECT / "training" / "configs" / f"{path.parent.name}.yaml"
    return PROJECT / path


def commands_of_the_readme() -> list[str]:
    text = (PROJECT / "README.md").read_text()
    found = re.findall(r"^python -m training\..*$", text, re.MULTILINE)
    assert len(found) >= 4
    return found


@pytest.mark.parametrize("command", sorted({*commands(), *commands_of_the_readme()}))
def test_each_command_parses(command: str) -> None:
    words = shlex.split(command)
    at = words.index("-m", words.index("python") if "python" in words else 0)
    module, arguments = words[at + 1], words[at + 2 :]
    if module not in PARSERS:
        assert importlib.util.find_spec(module) is not None
        return
    options = PARSERS[module]().parse_args(arguments)
    if module == "training.train":
        config = load_config(config_of(options.config), options.overrides)
        assert config.validation is None or config.validation.set in (None, *SETS)
    elif module == "training.prepare":
        named = [Path(text.rpartition("=")[2]).stem for text in options.csv]
        named += [text.partition("=")[0] for text in options.exif]
        frames = [name for name, _ in map(prepare._named, options.frames)]
        named += [*frames, "gsv-cities", "sf-xl", "pitts30k", "msls"]
        prepare._divisions(named, options.set, frames)
    elif module == "training.evaluate" and options.dataset is not None:
        assert options.dataset in SETS


def test_runs_that_commands_build_on_were_named_before(guide: str) -> None:
    names = {load_config(file).name for file in (PROJECT / "training" / "configs").glob("*.yaml")}
    used = set(re.findall(r"runs/(\w+)/", guide)) - {"NAME"}
    assert used
    assert used <= names


def test_no_two_runs_of_the_tables_share_a_folder() -> None:
    names = [word for command in commands() for word in command.split() if word.startswith("name=")]
    assert len(names) > 20
    assert len(set(names)) == len(names)


def test_its_table_has_every_key_with_its_default(guide: str) -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (required|`.*?`) \| ", guide, re.MULTILINE))
    assert rows == dict(keys(Config))


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if inner:
            yield from keys(inner[0], f"{prefix}{name}.")
            continue
        if field.is_required():
            yield prefix + name, "required"
        else:
            default = json.dumps(field.default, default=str)
            yield prefix + name, "`" + default.strip('"') + "`"


def test_its_links_lead_somewhere(guide: str) -> None:
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", guide, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#(.*?)\)", guide))
    assert links
    assert links <= headings
