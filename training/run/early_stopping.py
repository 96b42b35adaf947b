"""Which epoch is the best so far, and when to stop hoping for a better one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class BestEpoch:
    """The best validation of a run.

    epoch: its number, from 1; 0 before any. recalls: R@N, 0 to 1, of that epoch, by N; empty where
    there is no validation set. waited: epochs since then.
    """

    epoch: int = 0
    recalls: dict[int, float] = field(default_factory=dict)
    waited: int = 0

    def update(self, epoch: int, recalls: dict[int, float]) -> bool:
        """Take an epoch's R@1 and R@5 into account; return whether it is the best so far.

        An epoch is better where R@1 + R@5 is greater. Without recalls the last epoch is the best.
        """
        if self.epoch == 0 or not recalls or _score(recalls) > _score(self.recalls):
            self.epoch, self.recalls, self.waited = epoch, dict(recalls), 0
            return True
        self.waited += 1
        return False

    def exhausted(self, patience: int) -> bool:
        """Return whether `patience` epochs have gone by without a better one."""
        return self.waited >= patience

    def to_state(self) -> dict[str, Any]:
        """Return what `BestEpoch(**state)` takes."""
        return asdict(self)


def _score(recalls: dict[int, float]) -> float:
    return recalls[1] + recalls[5]
