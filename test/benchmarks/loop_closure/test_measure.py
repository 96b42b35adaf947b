from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.loop_closure import command
from benchmarks.loop_closure.measuring import SHIPPED, VERIFICATIONS
from selavpr_core.describer import Describer, Description
from test.benchmarks.loop_closure.test_measuring import FRAMES, recording
from test.selavpr_ros.loop_closure import circuit


class Streaming(circuit.Describer):
    """Describes in batches of two, as a describer streams, and counts."""

    fingerprint, source, preset, pretrained = "cd" * 32, "made-up", "tiny", True
    descriptor_dim, code_bytes = circuit.MODEL.descriptor_dim, circuit.MODEL.code_bytes

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Description]:
        batch: list[Description] = []
        for image in images:
            batch.append(self(image))
            if len(batch) == 2:
                yield Description(*(np.concatenate(part) for part in zip(*batch, strict=True)))
                batch = []
        yield from batch


def test_each_frame_is_described_once_and_each_setting_driven_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = recording({30: 3})
    driven = []
    drive = command.drive

    def counting(*arguments: object) -> object:
        driven.append(arguments[-1])
        return drive(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "drive", counting)
    describer = Streaming({30: 3})
    figures = command.measure(made, cast(Describer, describer))
    assert describer.described == FRAMES
    assert (
        len(driven) == len(set(driven)) == len(VERIFICATIONS)
    )  # one is shipped; one has no threshold
    assert json.loads(json.dumps(figures, allow_nan=False))["frames"] == FRAMES
    found = figures["verifications"]
    assert list(found) == list(VERIFICATIONS)
    assert found[SHIPPED] == found["all"]
    assert (found["none"]["false"], found["all"]["false"]) == (1, 0)
    assert figures["inliers_in_hindsight"]["recall_at_full_precision"] == found["all"]["recall"]
