"""Parameters as tables that everything else is made from.

The ROS descriptors, the checks, the typed settings and the messages to the user all come from the
fields of a dataclass; the parameter files and docs are held against them by the tests.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from typing import Any

Value = bool | int | float | str

# How alike two names must be, from 0 to 1, for one to be a misspelling of the other; and what
# being like a part of a name counts beside being like the whole.
_ALIKE = 0.6
_PART_WEIGHT = 0.9


class Change(Enum):
    """When a parameter may be set, and when a new value takes effect."""

    AT_ONCE = "at run time, at once"
    ON_LOAD_MAP = "at any time; takes effect with ~/load_map or when the node is configured"
    ON_CONFIGURE = "while the node is unconfigured; takes effect when it is configured"


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its default (whose type is the parameter's type) and its limits.

    choices: the only values allowed. bounds: least and greatest value. is_frame: a TF frame id,
    which is neither empty nor starts with a slash.
    """

    name: str
    default: Value
    description: str
    change: Change
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    is_frame: bool = False

    @property
    def type_name(self) -> str:
        """The type as users of ROS call it: bool, integer, double or string."""
        return _TYPE_NAMES[type(self.default)]

    @property
    def limits(self) -> str:
        """The limits in words; empty where there are none."""
        if self.choices:
            return "one of: " + ", ".join(self.choices)
        if self.bounds is not None:
            return f"{self.bounds[0]} to {self.bounds[1]}"
        return "a TF frame id without a leading slash" if self.is_frame else ""

    def problem(self, value: object) -> str | None:
        """What is wrong with a value and what to write instead, in one line; None where it fits."""
        wanted = type(self.default)
        if type(value) is not wanted:
            return (
                f"parameter {self.name} is {_spell(value)} ({_type_name(value)}) "
                f"but must be of type {self.type_name}: write {self._instead_of(value)}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            return f"parameter {self.name} is {value} but must be finite"
        if isinstance(value, str):
            return self._problem_with_text(value)
        if self.bounds is not None and not self.bounds[0] <= value <= self.bounds[1]:
            return f"parameter {self.name} is {value} but must be in the range {self.limits}"
        return None

    def _problem_with_text(self, value: str) -> str | None:
        if self.choices and value not in self.choices:
            near = nearest(value, self.choices)
            hint = f"; did you mean {near}?" if near else ""
            return f"parameter {self.name} is {value!r} but must be {self.limits}{hint}"
        if self.is_frame and (not value or value.startswith("/")):
            return f"parameter {self.name} is {value!r} but must be {self.limits}"
        return None

    def _instead_of(self, value: object) -> str:
        """The value as it should have been written in YAML, or an example."""
        if type(value) is int and isinstance(self.default, float):
            return f"{value}.0"
        if isinstance(self.default, str) and isinstance(value, (bool, int, float)):
            return f'"{_spell(value)}"'
        if type(value) is float and type(self.default) is int and value.is_integer():
            return str(int(value))
        if isinstance(self.default, str):
            return f'"{self.choices[0] if self.choices else self.default or "text"}"'
        return _spell(self.default)


_TYPE_NAMES: dict[type, str] = {bool: "bool", int: "integer", float: "double", str: "string"}


def _type_name(value: Any) -> str:
    """Name of a value's type; lists and the like have no name in this table."""
    return _TYPE_NAMES.get(type(value), "list")


def _spell(value: Any) -> str:
    """A value as YAML spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parameter(
    default: Value,
    description: str,
    change: Change = Change.ON_CONFIGURE,
    choices: tuple[str, ...] = (),
    bounds: tuple[float, float] | None = None,
    is_frame: bool = False,
) -> Any:
    """A field of a class of settings that carries the rest of its row of the table."""
    row = {
        "description": description,
        "change": change,
        "choices": choices,
        "bounds": bounds,
        "is_frame": is_frame,
    }
    return field(default=default, metadata=row)


def table_of(settings: type) -> tuple[Parameter, ...]:
    """The table that a dataclass is, each of its fields made by `parameter`."""
    return tuple(
        Parameter(f.name, f.default, **f.metadata)
        for f in fields(settings)
        if f.default is not MISSING  # every field has one; it tells mypy so
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelled one most likely means; None where none is close.

    A name also resembles its parts: threshold means similarity_threshold. Of several that are as
    alike, the first.
    """

    def likeness(candidate: str) -> float:
        parts = candidate.split("_")
        whole = difflib.SequenceMatcher(None, name, candidate).ratio()
        part = max(difflib.SequenceMatcher(None, name, p).ratio() for p in parts)
        return max(whole, _PART_WEIGHT * part)

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best) >= _ALIKE else None


def unknown_parameters(unknown: Iterable[str], table: Iterable[Parameter]) -> list[str]:
    """One line for each name that no parameter has, with the one that was probably meant."""
    names = [parameter.name for parameter in table]
    lines = []
    for name in sorted(unknown):
        # Quality-of-service overrides are declared only when their topic comes into being.
        if name.startswith("qos_overrides."):
            continue
        near = nearest(name, [*names, "use_sim_time"])
        hint = f"did you mean {near}?" if near else "parameters are: " + ", ".join(names)
        lines.append(f"parameter {name} does not exist and is ignored; {hint}")
    return lines


def describe_settings(values: Mapping[str, Value], facts: Mapping[str, str]) -> str:
    """The whole configuration as one block of text: parameters, then what followed from them."""
    width = max(len(name) for name in (*values, *facts))
    rows = [f"  {name:<{width}}  {_spell(value) or '(empty)'}" for name, value in values.items()]
    rows += [f"  {name:<{width}}  {fact}" for name, fact in facts.items()]
    return "\n".join(rows)
