"""JSON documents: text to values that fit a schema, and values to text without NaN or Infinity."""

import json
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from yolodsc.errors import YolodscError
from yolodsc.schemas.faults import FaultError, fault_of, joined, shown
from yolodsc.schemas.indentation import indented

FileName = str | Path
"""The file, with a line number where there are lines."""

T = TypeVar("T")


def parse_json(text: str, *, file: FileName, error: type[YolodscError], mend: Callable[[str], str] | None = None) -> Any:
    """Plain values out of JSON; NaN, Infinity, repeated keys, and integers or nesting beyond Python's limits are refused.

    Parameters
    ----------
    error
        What to raise.
    mend
        Applied once to a text that is not JSON, for programs that are known to write such.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as reason:
        if mend is not None:
            return parse_json(mend(text), file=file, error=error)
        raise error(f"{file}:{reason.lineno}: not JSON: {reason.msg}") from None
    except RecursionError:
        raise error(f"{file}: not readable: nested too deeply") from None
    except FaultError as reason:
        raise error(f"{file}: {reason}") from None
    except ValueError:
        raise error(f"{file}: got an integer of thousands of digits, expected at most 19") from None
    if "\\u" in text:
        _encodable(value, file=file, error=error)
    return value


def checked(value: Any, schema: type[T], *, file: FileName, error: type[YolodscError]) -> T:
    """The value as an instance of ``schema`` (a msgspec ``Struct`` or container); ``error`` names the first path that differs.

    Callers must not use ``value`` afterwards: an unsuccessful check may modify it.
    """
    try:
        return msgspec.convert(value, schema)
    except msgspec.ValidationError as reason:
        raise error(f"{file}: {fault_of(value, schema, str(reason))}") from None


def below(indices: Iterable[int], count: int, *, at: str, file: FileName, error: type[YolodscError]) -> None:
    """Check that all indices, known to be 0 or more, lie below ``count``."""
    for number, index in enumerate(indices):
        if index >= count:
            expected = f"0 to {count - 1}" if count else "none"
            refuse(f"{at}[{number}]", index, expected, file=file, error=error)


def unique(values: Iterable[Any], *, at: str, file: FileName, error: type[YolodscError], field: str = "") -> None:
    """Check that no (hashable) value occurs twice; ``field`` names the value within each element of ``at``."""
    seen = set()
    for number, value in enumerate(values):
        if value in seen:
            refuse(f"{at}[{number}]{field}", value, "each value once", file=file, error=error)
        seen.add(value)


def refuse(at: str, found: Any, expected: str, *, file: FileName, error: type[YolodscError]) -> NoReturn:
    """Raise the error of a value that does not fit: path, value and what was expected."""
    raise error(f"{file}: at {at}: got {shown(found)}, expected {expected}")


def dump_json(value: Any, *, file: FileName, error: type[YolodscError], indent: int | None = None) -> str:
    """JSON of plain values; ``error`` names the first number that is not finite, which JSON cannot express."""
    try:
        return json.dumps(value, allow_nan=False) if indent is None else indented(value, indent=indent)
    except ValueError:
        at = _not_finite(value, "$") or "$"
        raise error(f"{file}: cannot be written: at {at}: got a number that is not finite") from None


def replace_nonfinite(value: Any) -> Any:
    """The same plain value with None (null in JSON) in place of NaN and infinities: for fields that may be undefined."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: replace_nonfinite(entry) for key, entry in value.items()}
    return [replace_nonfinite(entry) for entry in value] if isinstance(value, list | tuple) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FaultError(f"got the key {shown(twice)} twice in one object, expected each key once")
    return mapping


def _constant(literal: str) -> NoReturn:
    raise FaultError(f"got {literal}, expected a finite number")


def _encodable(value: Any, *, file: FileName, error: type[YolodscError]) -> None:
    """Escapes may spell halves of surrogate pairs, which no terminal and no file can take; those of file names may pass."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise error(f"{file}: got half of a surrogate pair (\\ud800 to \\udfff), expected whole characters") from None
    except RecursionError:
        raise error(f"{file}: not readable: nested too deeply") from None


def _not_finite(value: Any, at: str) -> str | None:
    if isinstance(value, float):
        return None if isfinite(value) else at
    entries: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        entries = ((joined(at, str(key)), entry) for key, entry in value.items())
    elif isinstance(value, list | tuple):
        entries = ((f"{at}[{i}]", entry) for i, entry in enumerate(value))
    return next((found for path, entry in entries if (found := _not_finite(entry, path))), None)
