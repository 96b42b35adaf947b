"""Message objects from what lies in a bag, by the definitions that came with it."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

from backports import zstd
from rosbags.serde import SerdeError
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)

from selavpr_ros.bags.storage import ZSTD_MAGIC, Channel

# What a definition or message that is not what it says can set off in rosbags.
_DEFINITION_ERRORS = (
    TypesysError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
_MESSAGE_ERRORS = (
    SerdeError,
    zstd.ZstdError,
    struct.error,
    ArithmeticError,
    AssertionError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)

_Decode = Callable[[bytes | memoryview], Any]


class UndecodableError(Exception):
    """A message, or all messages of a channel, cannot be decoded; stays inside this package."""


class Decoder:
    """Makes message objects (rosbags' classes) of raw messages.

    Each type is known by its own definition alone, so that a broken one in a topic that nobody
    reads does no harm. A type without a definition is taken from the distribution that the bag
    names, else from Jazzy, Humble or, in ROS 1 bags, Noetic.
    """

    def __init__(self, distribution: str | None = None) -> None:
        self._distribution = distribution
        self._decoders: dict[tuple[str, str, str], _Decode | UndecodableError] = {}

    def decode(self, channel: Channel, data: bytes | memoryview) -> Any:
        """The message that `data` of this channel holds.

        Raises:
            UndecodableError: its type is not known, or the data does not fit the type.
        """
        key = (channel.encoding, channel.type, channel.definition)
        if key not in self._decoders:
            try:
                self._decoders[key] = self._decoder(channel)
            except UndecodableError as error:
                self._decoders[key] = error
        decode = self._decoders[key]
        if isinstance(decode, UndecodableError):
            raise decode
        try:
            # Compressed message by message; an uncompressed one begins with a zero byte.
            if channel.encoding == "cdr" and bytes(data[:4]) == ZSTD_MAGIC:
                data = zstd.decompress(data)
            return decode(data)
        except _MESSAGE_ERRORS as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise UndecodableError(reason) from None

    def _decoder(self, channel: Channel) -> _Decode:
        if channel.encoding not in ("cdr", "ros1"):
            raise UndecodableError(f"messages encoded as {channel.encoding!r} are not supported")
        if channel.definition:
            decode = _by_definition(
                channel.encoding, channel.type, channel.schema, channel.definition
            )
            if decode is not None:
                return decode
            # Damaged, but the type may be a common one all the same.
        for name in _stores(channel.encoding, self._distribution):
            store = _known(name)
            if channel.type in store.types:
                return _from(store, channel.encoding, channel.type)
        raise UndecodableError(
            f"the definition of {channel.type} is "
            + ("damaged" if channel.definition else "not in the bag")
        )


# Definitions are parsed and compiled, which takes longer than to read a short bag.
@functools.lru_cache(maxsize=256)
def _by_definition(encoding: str, type_name: str, schema: str, definition: str) -> _Decode | None:
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(_parsed(type_name, schema, definition))
        return _from(store, encoding, type_name)
    except _DEFINITION_ERRORS:
        return None


def _from(store: Any, encoding: str, type_name: str) -> _Decode:
    store.get_msgdef(type_name)  # fails here rather than at the first message
    decode = store.deserialize_cdr if encoding == "cdr" else store.deserialize_ros1
    return functools.partial(decode, typename=type_name)


def _parsed(type_name: str, schema: str, definition: str) -> Any:
    if schema != "ros2idl":
        return get_types_from_msg(definition, type_name)
    # Several files one after the other, or a single one.
    rule = "=" * 80 + "\n"
    if not definition.startswith(f"{rule}IDL: "):
        return get_types_from_idl(definition)
    types: dict[str, Any] = {}
    for part in definition.split(rule)[1:]:
        types.update(get_types_from_idl(part.partition("\n")[2]))
    return types


def _stores(encoding: str, distribution: str | None) -> list[Stores]:
    if encoding == "ros1":
        return [Stores.ROS1_NOETIC]
    stores = [Stores.ROS2_JAZZY, Stores.ROS2_HUMBLE]
    for store in Stores:
        if distribution and store.name == f"ROS2_{distribution.upper()}":
            stores.insert(0, store)
    return stores


@functools.cache
def _known(store: Stores) -> Any:
    return get_typestore(store)
