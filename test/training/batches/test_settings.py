from __future__ import annotations

import pytest

from training.batches import BatchSettings
from training.errors import ConfigError


def test_the_published_batch_is_the_default() -> None:
    assert BatchSettings() == BatchSettings(
        places=120, images=4, size=(224, 224), randaugment=3, viewpoint=0.0, light=0.0
    )


@pytest.mark.parametrize(
    ("unfit", "name"),
    [({"places": 1}, "places"), ({"images": 1}, "images"), ({"randaugment": -1}, "randaugment"),
     ({"size": (0, 224)}, "size"), ({"viewpoint": 1.1}, "viewpoint"), ({"light": -0.1}, "light"),
     ({"light": float("nan")}, "light")],
)  # fmt: skip
def test_an_unfit_value_is_named(unfit: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        BatchSettings(**unfit)
