"""Publishers that keep what they publish, in the place of a node's."""

from __future__ import annotations

from typing import Any


class Listening:
    """A publisher that keeps what it publishes, with as many subscribers as a test wants."""

    def __init__(self, subscribers: int) -> None:
        self.sent: list[Any] = []
        self._subscribers = subscribers

    def publish(self, message: Any) -> None:
        self.sent.append(message)

    def get_subscription_count(self) -> int:
        return self._subscribers


class Topics(dict[str, Listening]):
    """Stands for the node: keeps its publishers by topic."""

    def __init__(self, subscribers: int) -> None:
        super().__init__()
        self._subscribers = subscribers

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: Any) -> Listening:
        self[topic] = Listening(self._subscribers)
        return self[topic]

    def destroy_lifecycle_publisher(self, publisher: Listening) -> None:
        self.pop(next(topic for topic, kept in self.items() if kept is publisher))
