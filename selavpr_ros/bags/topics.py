"""What a bag holds, and which of its topics plays which part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from selavpr_ros.errors import BagError


@dataclass(frozen=True)
class TopicInfo:
    """One topic of a bag; `type` is spelled as in ROS 2 ("sensor_msgs/msg/Image") always."""

    name: str
    type: str
    count: int


def choose_topic(
    topics: Mapping[str, TopicInfo],
    types: Collection[str],
    given: str | None,
    role: str,
    required: bool = True,
) -> str | None:
    """Name of the topic that plays `role`: the given one, or the only one of a fitting type.

    Args:
        topics: what the bag holds (`BagReader.topics`).
        types: message types that fit, in ROS 2 spelling.
        given: the user's choice; None or empty to find the topic by type.
        role: what it is for ("image", "fix", ...): errors name the flag `--<role>-topic`.
        required: whether a bag without any candidate is an error; otherwise None is returned.

    Raises:
        BagError: the given topic is absent or of another type, several topics fit, or none does
            and one is required.
    """
    flag = f"--{role}-topic"
    if given:
        return named_topic(topics, types, given, flag)

    fitting = [topic for topic in topics.values() if topic.type in types]
    filled = [topic for topic in fitting if topic.count > 0]
    if len(filled) == 1:
        return filled[0].name
    if filled:
        raise BagError(
            f"several topics could be the {role} topic, choose one with {flag}: {_listed(filled)}"
        )
    if not required:
        return None
    if fitting:
        raise BagError(f"the {role} topic has no messages: {_listed(fitting)}")
    raise BagError(
        f"no {role} topic: the bag has no {_either(types)}; it holds: {_listed(topics.values())}"
    )


def named_topic(
    topics: Mapping[str, TopicInfo], types: Collection[str], given: str, flag: str
) -> str:
    """Name of the topic that the user gave; its leading slash may be missing.

    Args:
        topics: what the bag holds (`BagReader.topics`).
        types: message types that fit, in ROS 2 spelling.
        given: the user's choice.
        flag: the option that it was given with, for errors.

    Raises:
        BagError: the topic is absent or of another type.
    """
    name = given if given in topics else f"/{given.lstrip('/')}"
    if name not in topics:
        raise BagError(
            f"topic {given} ({flag}) is not in the bag; it holds: {_listed(topics.values())}"
        )
    if topics[name].type not in types:
        raise BagError(
            f"topic {given} ({flag}) is {topics[name].type}, but {_either(types)} is needed; "
            f"the bag holds: {_listed(topics.values())}"
        )
    return name


def _either(types: Collection[str]) -> str:
    return " or ".join(sorted(types))


def _listed(topics: Collection[TopicInfo]) -> str:
    if not topics:
        return "no topics"
    return ", ".join(
        f"{topic.name} ({topic.type}, {topic.count} message{'' if topic.count == 1 else 's'})"
        for topic in sorted(topics, key=lambda topic: topic.name)
    )
