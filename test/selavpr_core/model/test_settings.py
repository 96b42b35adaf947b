from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from selavpr_core.model.settings import ADAPTERS, HEADS, PRESETS, ModelSettings, preset_settings


def test_presets_refine_the_blocks_that_the_method_refines() -> None:
    assert preset_settings("base").adapted_blocks == tuple(range(1, 13))
    assert preset_settings("large").adapted_blocks == tuple(range(9, 25))


@pytest.mark.parametrize(
    ("adapters", "blocks"),
    [
        ("all", tuple(range(1, 25))),
        ("last:1", (24,)),
        ("last:8", tuple(range(17, 25))),
        ("last:24", tuple(range(1, 25))),
        ("every:1", tuple(range(1, 25))),
        ("every:6", (6, 12, 18, 24)),
        ("every:7", (7, 14, 21)),
    ],
)
def test_adapter_placements(adapters: str, blocks: tuple[int, ...]) -> None:
    assert preset_settings("large", adapters=adapters).adapted_blocks == blocks


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_survive_json(preset: str) -> None:
    settings = preset_settings(preset, branches=("hash",), input_size=(224, 336))
    assert ModelSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize("change", [{"extra": 1}, {"depth": None}])
def test_json_with_other_keys_is_refused(change: dict[str, Any]) -> None:
    values = {**preset_settings("tiny").to_json(), **change}
    values = {key: value for key, value in values.items() if value is not None}
    with pytest.raises(ValueError, match=next(iter(change))):
        ModelSettings.from_json(values)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"adapters": "last:13"}, "last:13"),
        ({"adapters": "last:0"}, "last:0"),
        ({"adapters": "every:x"}, "every:x"),
        ({"adapters": "some"}, "some"),
        ({"branches": ()}, "branches"),
        ({"branches": ("hash", "float")}, "branches"),
        ({"branches": ("float", "global")}, "branches"),
        ({"input_size": (322, 320)}, "322 x 320"),
        ({"input_size": (7, 14)}, "7 x 14"),
        ({"input_size": (0, 14)}, "input_size 0"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        preset_settings("base", **arguments)


def test_an_unknown_preset_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'huge'.*base, large, small, tiny"):
        preset_settings("huge")


@pytest.mark.parametrize(
    "change",
    [
        {"embed_dim": 100},
        {"num_heads": 5},
        {"native_size": 225},
        {"adapted_blocks": ()},
        {"adapted_blocks": (2, 1)},
        {"adapted_blocks": (1, 1)},
        {"adapted_blocks": (0,)},
        {"adapted_blocks": (13,)},
        {"code_bits": 12},
        {"descriptor_dim": 0},
        {"input_size": (14,)},
    ],
)
def test_settings_that_contradict_each_other_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        replace(preset_settings("tiny"), **change)


def test_what_came_later_is_written_only_where_it_differs() -> None:
    """Files and fingerprints from before the two fields came stay what they are."""
    assert {"adapter", "head"}.isdisjoint(preset_settings("base").to_json())
    other = preset_settings("base", adapter="vanilla", head="boq")
    assert other.to_json()["adapter"] == "vanilla"
    assert other.to_json()["head"] == "boq"


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_and_head_survives_json(adapter: str, head: str) -> None:
    settings = preset_settings("large", adapter=adapter, head=head)
    assert ModelSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert settings.descriptor_dim == {"gem": 4096, "salad": 8448, "boq": 12288}[head]


def test_adapters_inside_the_blocks_are_in_all_of_them() -> None:
    assert preset_settings("large", adapter="in-block").adapted_blocks == tuple(range(1, 25))
    assert preset_settings("large", adapter="none").adapted_blocks == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"adapter": "lora"}, "unknown adapter 'lora'.*vanilla"),
        ({"head": "netvlad"}, "unknown head 'netvlad'.*salad"),
        ({"adapter": 7}, "unknown adapter 7"),
        ({"head": ["gem"]}, "unknown head"),
        ({"adapter": "none"}, "must be empty"),
        ({"adapter": "in-block", "adapted_blocks": ()}, "ascending block numbers"),
        ({"head": "salad"}, "descriptor_dim 1024 contradicts head 'salad'.*8448"),
        ({"head": "boq", "descriptor_dim": 8448}, "12288"),
        ({"head": "boq", "descriptor_dim": 12288, "branches": ("hash",)}, "float branch"),
        ({"head": "salad", "descriptor_dim": 8448, "input_size": (112, 112)}, "8 x 8"),
    ],
)
def test_an_adapter_or_head_that_contradicts_the_rest_is_refused(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        replace(preset_settings("tiny"), **change)
    values = {**preset_settings("tiny").to_json(), **change}
    with pytest.raises(ValueError, match=named):
        ModelSettings.from_json({k: list(v) if type(v) is tuple else v for k, v in values.items()})


@pytest.mark.parametrize("value", [0, -14, 1.5, 14.0, "14", True, None, [14]])
@pytest.mark.parametrize(
    "name", ["embed_dim", "depth", "num_heads", "native_size", "descriptor_dim", "code_bits"]
)
def test_sizes_are_positive_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} .* must be a positive whole number"):
        replace(preset_settings("tiny"), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["adapted_blocks", "input_size"])
@pytest.mark.parametrize("value", [14, None, "ab", (14, 0), (14.0, 28), (14, "28"), (14, (28,))])
def test_lists_of_sizes_hold_positive_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(preset_settings("tiny"), **{name: value})  # type: ignore[arg-type]
