"""Values of options in their usual form: omitted options, texts, paths and numbers."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

NUMBERS = {int: re.compile(r"[0-9]{1,15}"), float: re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")}
"""What is converted here; other forms of numbers are Typer's matter."""


class Kind(NamedTuple):
    """The type of a parameter without ``None``, the range of a number, and whether Typer checks a path."""

    type: Any
    min: float | None = None
    max: float | None = None
    checked: bool = False


def plain(kind: Kind, value: Any) -> Any:
    """The converted value; NotImplemented if Typer has to convert or refuse it."""
    if kind.type == list[str]:
        return _list(value)
    if value is None:
        return None
    if kind.type in (int, float):
        return _number(kind, value)
    if kind.type is Path and isinstance(value, str):
        return _path(kind, value)
    return value if type(value) is kind.type and kind.type in (str, bool, Path) else NotImplemented


def _list(value: Any) -> Any:
    if value is None:
        return ()
    usual = isinstance(value, tuple | list) and all(isinstance(member, str) for member in value)
    return list(value) if usual else NotImplemented


def _number(kind: Kind, value: Any) -> Any:
    if isinstance(value, str) and NUMBERS[kind.type].fullmatch(value):
        value = kind.type(value)
    inside = type(value) is kind.type and (kind.min is None or value >= kind.min) and (kind.max is None or value <= kind.max)
    return value if inside else NotImplemented


def _path(kind: Kind, text: str) -> Any:
    usable = not kind.checked and (os.access(text, os.R_OK) or not os.path.exists(text))  # noqa: PTH110 - never raises
    return Path(text) if usable else NotImplemented
