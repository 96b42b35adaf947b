from __future__ import annotations

import pytest

from selavpr_core.model import SelaVPR, preset_settings
from training.run.looking import only_looking


def modes(model: SelaVPR) -> dict[str, bool]:
    return {name: module.training for name, module in model.named_modules()}


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_each_part_goes_back_into_its_own_mode(error: type[BaseException] | None) -> None:
    model = SelaVPR(preset_settings("tiny", adapters="last:1"))
    model.train()
    model.backbone.eval()  # a frozen part beside those that learn
    before = modes(model)
    assert set(before.values()) == {True, False}
    try:
        with only_looking(model):
            assert not any(modes(model).values())
            if error is not None:
                raise error
    except KeyboardInterrupt:
        pass
    assert modes(model) == before
