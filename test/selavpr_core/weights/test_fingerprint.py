from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import torch

from selavpr_core.model import ModelSettings
from selavpr_core.preprocessing import Preprocessing
from selavpr_core.weights.fingerprint import fingerprint

SETTINGS = ModelSettings(
    preset="tiny",
    embed_dim=192,
    depth=12,
    num_heads=3,
    native_size=224,
    adapted_blocks=tuple(range(1, 13)),
    descriptor_dim=1024,
    code_bits=512,
    branches=("float", "hash"),
    input_size=(224, 224),
)
STATE = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(1.5)}


def test_it_is_the_hash_of_settings_preprocessing_and_values_by_name() -> None:
    described = {
        "preprocessing": Preprocessing(size=(224, 224)).to_json(),
        "settings": SETTINGS.to_json(),
    }
    content = json.dumps(described, sort_keys=True).encode()
    content += b"\na []\n" + np.float32(1.5).tobytes()
    content += b"\nb [2, 3]\n" + np.arange(6, dtype="<f4").tobytes()
    assert fingerprint(STATE, SETTINGS) == hashlib.sha256(content).hexdigest()


def test_it_is_the_one_that_existing_maps_were_made_with() -> None:
    """Settings grew since: what has their defaults keeps its fingerprint."""
    assert (
        fingerprint(STATE, SETTINGS)
        == "b87e27fca4e9261d837222789adb20081e9aa0177c632af2e68e14cb1e42e286"
    )


def test_it_ignores_the_order_the_layout_and_the_counters() -> None:
    turned = {"a": STATE["a"], "b": STATE["b"].T.contiguous().T}
    turned["bn.num_batches_tracked"] = torch.tensor(7)
    assert fingerprint(turned, SETTINGS) == fingerprint(STATE, SETTINGS)


def test_it_changes_with_everything_that_a_descriptor_depends_on() -> None:
    others = [
        ({**STATE, "a": STATE["a"] + 1e-6}, SETTINGS),
        ({**STATE, "b": STATE["b"].reshape(3, 2)}, SETTINGS),
        ({"c": STATE["a"], "b": STATE["b"]}, SETTINGS),
        (STATE, replace(SETTINGS, input_size=(224, 238))),
        (STATE, replace(SETTINGS, adapted_blocks=(1, 2))),
        (STATE, replace(SETTINGS, adapter="vanilla")),
        (STATE, replace(SETTINGS, head="salad", descriptor_dim=8448)),
    ]
    digests = {fingerprint(state, settings) for state, settings in others}
    assert len(digests - {fingerprint(STATE, SETTINGS)}) == len(others)
