"""Indented JSON beside that of `json.dumps`."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.schemas.indentation import indented

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner))


@given(value=VALUES, indent=st.integers(1, 4))
def test_the_text_is_that_of_json_dumps(value: Any, indent: int) -> None:
    """For nested lists, tuples and dictionaries, empty ones included, with keys of every type."""
    assert indented(value, indent=indent) == json.dumps(value, indent=indent, allow_nan=False)


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("nest", [lambda x: x, lambda x: [x], lambda x: {"a": [1, {"b": x}]}])
def test_numbers_that_are_not_finite_are_refused(number: float, nest: Any) -> None:
    """At every depth, as `json.dumps` does."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        indented(nest(number), indent=1)
