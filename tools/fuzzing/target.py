"""Definition of a fuzz target."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parents[2] / "tests" / "fuzz" / "corpus"
"""Seeds and regressions: a folder a target, a file a case."""

Bytewise = Callable[[bytes], bytes]
"""A mutation that is independent of the format."""

Mutation = Callable[[bytes, random.Random, Bytewise], bytes]
"""A mutation that keeps the format's structure: from data, a source of choices, and a bytewise mutation of parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    Attributes
    ----------
    name
        Also the folder of its corpus.
    one
        Calls the reader with a file's content; returns where the content was accepted or refused with a `YolodscError`.
    mutate
        Mutation for formats with checksums or compression, which bytewise mutations do not survive.
    tokens
        Words of the format.
    prepare
        Compiles what `one` needs, before any time limit applies.
    """

    name: str
    one: Callable[[bytes], None]
    mutate: Mutation | None = None
    tokens: tuple[bytes, ...] = ()
    prepare: Callable[[], None] = lambda: None


def corpus(name: str) -> list[Path]:
    """The stored cases of a target, sorted."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
