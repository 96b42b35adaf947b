"""SF-XL: crops of panoramas all over San Francisco, with `@` names.

    processed/train/<latitude>/@...@.jpg

The heading is that of a crop's leftmost column, 0 north and 90 west.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from training.datasets.at_names import candidate_or_reason
from training.datasets.source import Entry, Excluded, existing_folder, images_below

_CITY = "san-francisco"


class SfXl:
    """Reader of the train split of SF-XL. See training.datasets.source.Source."""

    name = "sf-xl"
    version = 1
    notes: Sequence[str] = ()

    def __init__(self, root: Path) -> None:
        """root: the folder that holds processed/train. Raises DatasetError if it does not."""
        self.root = root
        self._train = existing_folder(
            root,
            "processed/train",
            "train",
            expected="SF-XL with processed/train/<latitude>/@*.jpg",
        )

    def entries(self) -> Iterator[Entry]:
        """Yield the images below the train folder."""
        for path in images_below(self._train, self.root):
            found = candidate_or_reason(path, _CITY)
            yield found if isinstance(found, Excluded) else found[1]
