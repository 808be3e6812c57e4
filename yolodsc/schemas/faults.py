"""Messages of msgspec rewritten as path, value found, and value expected."""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

MAX_SHOWN = 40
"""Characters of a value that a message shows."""

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_TYPES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}
_TYPE = re.compile("`([^`]*)`")
_MISSING = re.compile("Object missing required field `(.*)`")


class FaultError(ValueError):
    """A text that is JSON but not usable."""


def fault_of(value: Any, schema: Any, message: str) -> str:
    """Return one line from msgspec's message and the value."""
    text, _, path = message.partition(" - at ")
    at, found = _located(value, schema, path.strip("`"))
    if missing := _MISSING.fullmatch(text):
        return f"at {at}: field {missing[1]} is missing"
    if not text.startswith("Expected "):
        return f"at {at}: got {shown(found)}, expected a number in the range of float64"
    expected = text.removeprefix("Expected ").split(", got ")[0]
    return f"at {at}: got {shown(found)}, expected {_TYPE.sub(_plain, expected)}"


def shown(value: Any) -> str:
    """A value in a message: short, and never more than one line."""
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    text = str(value) if isinstance(value, int) and abs(value) < 2**128 else "a huge integer" if type(value) is int else ""
    text = json.dumps(value) if not text or isinstance(value, bool) else text
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def joined(at: str, name: str) -> str:
    """The path of a field: ``$.classes.dog``, ``$.classes["tea pot"]``."""
    return f"{at}.{name}" if name.isidentifier() and name.isascii() else f"{at}[{shown(name)}]"


def _plain(match: "re.Match[str]") -> str:
    return " or ".join(_TYPES.get(name, name) for name in match[1].split(" | "))


def _located(value: Any, schema: Any, path: str) -> tuple[str, Any]:
    """The path with the keys that msgspec leaves out, and the value there."""
    at, here = "$", value
    for name, index, _ in _STEP.findall(path):
        if name:
            at, here = joined(at, name), here[name]
        elif index:
            at, here = f"{at}[{index}]", here[int(index)]
        else:
            key = _first_faulty(value, schema, here)
            at, here = joined(at, key), here[key]
    return at, here


def _first_faulty(value: Any, schema: Any, mapping: dict[str, Any]) -> str:
    """The first key of ``mapping``, a part of ``value``, with which the value does not fit; no other key is left in it."""
    items = list(mapping.items())
    low, high = 0, len(items)  # the first ``low`` entries fit, the first ``high`` don't
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _differs(value, schema, mapping, items[:middle]) else (middle, high)
    mapping.clear()
    mapping.update(items[low:high])
    return items[low][0]


def _differs(value: Any, schema: Any, mapping: dict[str, Any], items: Sequence[tuple[str, Any]]) -> bool:
    mapping.clear()
    mapping.update(items)
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError:
        return True
    return False
