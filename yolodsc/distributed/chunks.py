"""Chunks: consecutive paths with a number, the unit that is sent, retried, and written to one Parquet file."""

from collections.abc import Iterable, Iterator
from itertools import islice
from os import PathLike, fspath
from typing import Any

from yolodsc.errors import OptionError
from yolodsc.files import resolved
from yolodsc.values import Value

DEFAULT_CHUNK = 64
"""Images of a chunk: at 10 ms an image, the overhead of a chunk is below 2 %."""


class Chunk(Value):
    """Consecutive paths of a run.

    Attributes
    ----------
    number
        Counts the chunks of a run from 0.
    paths
        The paths as they are given.
    folder
        The working directory of the client, to which paths may be relative.
    """

    number: int
    paths: tuple[str, ...]
    folder: str


def chunked(paths: Iterable[Any], size: int) -> Iterator[Chunk]:
    """Yield chunks of ``size`` paths, the last one shorter, while the paths are read."""
    if isinstance(paths, str | bytes | PathLike):
        raise OptionError("paths: one path; expected several, such as a list of paths", parameter="paths")
    if size < 1:
        raise OptionError(f"chunk={size}: expected at least 1", parameter="chunk")
    texts = map(_text, paths)
    number, folder = 0, str(resolved("."))
    while part := tuple(islice(texts, size)):
        yield Chunk(number, part, folder)
        number += 1


def _text(path: Any) -> str:
    """A path or an address as text."""
    found = fspath(path) if isinstance(path, str | PathLike) else None
    if not isinstance(found, str):
        raise OptionError(f"paths: {type(path).__name__}; expected paths or addresses, which workers can open", parameter="paths")
    return found
