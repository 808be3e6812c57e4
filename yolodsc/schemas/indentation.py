"""Indented JSON by the compiled encoder of `json`, which `json.dumps` uses only without indentation."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any


def indented(value: Any, *, indent: int, level: int = 0) -> str:
    """Return what ``json.dumps(value, indent=indent, allow_nan=False)`` returns, for a value that is nested ``level`` times."""
    if not _nests(value):
        return _encoder("").encode(value)
    outer = "\n" + " " * indent * level
    inner = outer + " " * indent
    if isinstance(value, Mapping):
        start, end, entries = "{", "}", _pairs(value, inner, indent, level)
    else:
        start, end, entries = "[", "]", _elements(value, inner, indent, level)
    return f"{start}{inner}{f',{inner}'.join(entries)}{outer}{end}"


def _nests(value: Any) -> bool:
    """Whether it is a container with entries, which takes several lines."""
    return isinstance(value, dict | list | tuple) and bool(value)


def _pairs(mapping: Mapping[Any, Any], inner: str, indent: int, level: int) -> list[str]:
    """Keys and values; neighbours without nesting together."""
    encode, entries = _encoder(inner).encode, []
    for nests, pairs in groupby(mapping.items(), key=lambda pair: _nests(pair[1])):
        if nests:
            entries += [encode({key: 0})[1:-2] + indented(entry, indent=indent, level=level + 1) for key, entry in pairs]
        else:
            entries.append(encode(dict(pairs))[1:-1])
    return entries


def _elements(sequence: Any, inner: str, indent: int, level: int) -> list[str]:
    """Elements; neighbours without nesting together."""
    encode, entries = _encoder(inner).encode, []
    for nests, elements in groupby(sequence, key=_nests):
        if nests:
            entries += [indented(entry, indent=indent, level=level + 1) for entry in elements]
        else:
            entries.append(encode(list(elements))[1:-1])
    return entries


@cache
def _encoder(break_: str) -> json.JSONEncoder:
    """An encoder that breaks the line after each entry."""
    return json.JSONEncoder(allow_nan=False, separators=(f",{break_}", ": "))
