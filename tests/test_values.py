"""Values behave as frozen dataclasses do."""

import dataclasses
import pickle

import pytest

from yolodsc.values import Value


class Point(Value):
    """A value with a default."""

    x: int
    y: int = 0


class Named(Point, kw_only=True):
    """A value with an inherited part."""

    name: str


class Handle(Value, eq=False):
    """A value that is equal to itself only."""

    x: int


def test_values_are_compared_and_hashed_by_class_and_fields() -> None:
    """Unless they say ``eq=False``."""
    assert Point(1) == Point(1, 0)
    assert hash(Point(1)) == hash(Point(1, 0))
    assert Point(1) != Point(1, 2)
    assert Named(1, name="a") != Point(1)
    assert Handle(1) != Handle(1)
    assert len({Handle(1), Handle(1)}) == 2


def test_values_are_immutable() -> None:
    """As frozen dataclasses."""
    with pytest.raises(AttributeError, match="immutable"):
        Point(1).x = 2  # type: ignore[misc]


def test_dataclass_functions_accept_values() -> None:
    """Inherited fields come first, as in dataclasses."""
    value = Named(1, 2, name="a")
    assert dataclasses.is_dataclass(Named)
    assert [field.name for field in dataclasses.fields(value)] == ["x", "y", "name"]
    assert dataclasses.replace(value, y=3) == Named(1, 3, name="a")
    assert dataclasses.asdict(value) == {"x": 1, "y": 2, "name": "a"}


def test_values_are_pickled() -> None:
    """Fields by keyword included."""
    value = Named(1, 2, name="a")
    assert pickle.loads(pickle.dumps(value)) == value
