from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import ConfigError
from training.run.yaml_file import parse_yaml


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_one_in_every_spelling_of_python(number: float) -> None:
    for text in (repr(number), f"{number:e}", f"{number:.17g}"):
        value = parse_yaml(f"rate: {text}", "a.yaml")["rate"]
        assert isinstance(value, (int, float)), text
        assert float(value) == float(text)


@settings(deadline=None)
@given(st.integers(-999, 999), st.integers(-30, 30), st.sampled_from("eE"))
def test_an_exponent_needs_neither_dot_nor_sign(whole: int, exponent: int, letter: str) -> None:
    """PyYAML alone takes 4e-4 for a text."""
    text = f"{whole}{letter}{exponent}"
    assert parse_yaml(text, "a.yaml") == float(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(VALUES)
def test_what_was_written_is_read(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value), "a.yaml") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "a.yaml, line 3: no valid YAML: the key a comes twice"),
        ("a:\n  b: 1\n  b: 1", "a.yaml, line 3: no valid YAML: the key b comes twice"),
        ("1: a", "a.yaml, line 1: no valid YAML: the key 1 is no word"),
        ("on: a", "a.yaml, line 1: no valid YAML: the key True is no word"),
        ("[1, 2]: a", "a.yaml, line 1: no valid YAML: the key [1, 2] is no word"),
        ("a: [1, 2", "a.yaml, line 1: no valid YAML: expected ',' or ']'"),
        ("a: b: c", "a.yaml, line 1: no valid YAML: mapping values are not allowed here"),
        ("a: !!python/object/apply:os.getcwd []", "a.yaml, line 1: no valid YAML: could not"),
        ("a: \x07", "a.yaml: no valid YAML: it cannot be read"),
        ("---\na: 1\n---\na: 2", "a.yaml, line 3: no valid YAML: but found another document"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "a.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_nothing_is_nothing() -> None:
    assert parse_yaml("", "a.yaml") is None
    assert parse_yaml("# a remark\n", "a.yaml") is None
