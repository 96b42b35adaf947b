from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from selavpr_ros.nodes.localization.outputs.transforms import (
    TransformsUnavailableError,
    transform_broadcaster,
)


def test_without_tf2_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(TransformsUnavailableError) as refused:
        transform_broadcaster(object())
    message = str(refused.value)
    assert "\n" not in message
    assert "install it" in message
    assert "set publish_tf to false" in message


def test_with_tf2_it_is_the_broadcaster_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(TransformBroadcaster=lambda node: ("broadcaster of", node))
    monkeypatch.setitem(sys.modules, "tf2_ros", stand_in)
    node = object()
    assert transform_broadcaster(node) == ("broadcaster of", node)
