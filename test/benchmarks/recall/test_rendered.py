from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.recall import rendered as module
from benchmarks.recall.rendered import rendered, renderer_version
from test.benchmarks.recall.made_up import picture
from training.errors import EvaluationError


def name(north: float, heading: float) -> str:
    return f"@0500000.00@{north:.2f}@32@T@@@@@{heading:.1f}@@@@@@.png"


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stands in for the renderer, which takes a minute; the seeds that it was called with."""
    seeds: list[int] = []

    def render(
        folder: Path,
        seed: int,
        processes: int,
        progress: Callable[[int, int], None],
        streets: int,
    ) -> dict[str, int]:
        from PIL import Image

        seeds.append(seed)
        assert streets == module.STREETS
        drives = {
            "database": [(5000000, 0), (5000008, 0), (5000020, 0)],
            "queries": [(5000001, 10), (5000001, 180), (5000012, 350)],
        }
        for drive, poses in drives.items():
            (folder / "test" / drive).mkdir(parents=True)
            for pose in poses:
                Image.fromarray(picture(1)).save(folder / "test" / drive / name(*pose))
        progress(2, 2)
        return {}

    monkeypatch.setattr(module, "render_evaluation", render)
    return seeds


def test_right_is_what_is_near_and_faces_alike(renderings: list[int], tmp_path: Path) -> None:
    found = rendered(None, tmp_path)
    assert renderings == [module.SEED]
    assert found.name == "rendered"
    assert found.rule == "10 m and 45 degrees"
    assert [path.name for path in found.database] == [
        name(5000000, 0), name(5000008, 0), name(5000020, 0)
    ]  # fmt: skip
    by_name = {
        path.name: right.tolist()
        for path, right in zip(found.queries, found.positives, strict=True)
    }
    # 1 and 7 m; the other way; 12, 4 and 8 m.
    assert by_name == {
        name(5000001, 10): [0, 1],
        name(5000001, 180): [],
        name(5000012, 350): [1, 2],
    }


def test_kept_places_serve_again_until_the_renderer_changes(
    renderings: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    for _ in range(2):
        rendered(kept, tmp_path / "unused")
    assert len(renderings) == 1
    assert [path.name for path in kept.iterdir()] == [renderer_version()]
    monkeypatch.setattr(module, "renderer_version", lambda: "another")
    rendered(kept, tmp_path / "unused")
    assert len(renderings) == 2
    assert len(list(kept.iterdir())) == 2


def test_an_interrupted_rendering_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(folder: Path, *_: object, **__: object) -> None:
        (folder / "test").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "render_evaluation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rendered(tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(renderings: list[int], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match=r"cannot be written"):
        rendered(tmp_path / "file", tmp_path)
    assert renderings == []


@pytest.mark.parametrize("name", ["SEED", "STREETS"])
def test_the_version_depends_on_the_renderer_the_seed_and_the_streets(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = renderer_version()
    assert before == renderer_version()
    monkeypatch.setattr(module, name, 1)
    assert renderer_version() != before
