"""Types of a native function's arguments, and how they are laid out for the call.

A call passes the address of one row of 8-byte slots: of an array its data and its sides, of a number itself. Arrays must be
C-contiguous and of the type that is named, because compiled code believes both.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

_TYPE = re.compile(r"(b1|[iu][1248]|f[48])(?:\[(\d)\])?")


@dataclass(frozen=True, slots=True)
class Type:
    """``f4`` or ``f4[3]``: kind and size of the numbers, and how many dimensions there are; 0 for a number."""

    dtype: str
    ndim: int

    @property
    def slots(self) -> int:
        """Slots that it takes."""
        return 1 + self.ndim

    @property
    def format(self) -> str:
        """In `struct`'s words."""
        return "q" * self.slots if self.ndim or self.dtype[0] != "f" else "d"


@dataclass(frozen=True)
class Signature:
    """Of a native function: arguments, and the result or None."""

    text: str
    arguments: tuple[Type, ...]
    result: Type | None

    @classmethod
    def parse(cls, text: str) -> "Signature":
        """From ``"u1[3] f4[3] i8 -> i8"``."""
        arguments, _, result = text.partition("->")
        return cls(text, tuple(map(_type, arguments.split())), _type(result.strip()) if result.strip() else None)

    @cached_property
    def pack(self) -> Callable[[Sequence[Any]], bytes]:
        """Arguments to slots; a `TypeError` where one is not what the signature says."""
        packer = struct.Struct("@" + "".join(t.format for t in self.arguments)).pack
        kinds = [(np.dtype(t.dtype), t.ndim) for t in self.arguments]

        def pack(args: Sequence[Any]) -> bytes:
            slots: list[Any] = []
            for argument, (dtype, ndim) in zip(args, kinds, strict=True):
                if not ndim:
                    slots.append(argument)
                    continue
                if not isinstance(argument, np.ndarray):
                    raise TypeError(f"{type(argument).__name__}; expected C-contiguous {dtype} of {ndim} dimensions")
                if argument.dtype != dtype or argument.ndim != ndim or not argument.flags.c_contiguous:
                    raise TypeError(
                        f"array of {argument.dtype} {argument.shape}; expected C-contiguous {dtype} of {ndim} dimensions"
                    )
                slots.append(argument.__array_interface__["data"][0])
                slots += argument.shape
            return packer(*slots)

        return pack

    @cached_property
    def value(self) -> Callable[[int], Any]:
        """The result out of the 8 bytes that come back."""
        if self.result is None:
            return lambda bits: None
        if self.result.dtype[0] == "f":
            return lambda bits: struct.unpack("@d", struct.pack("@q", bits))[0]
        return bool if self.result.dtype == "b1" else lambda bits: bits


def _type(text: str) -> Type:
    found = _TYPE.fullmatch(text)
    if found is None:
        raise ValueError(f"type {text!r}; expected one such as i8, f4 or f4[3]")
    return Type(found[1], int(found[2] or 0))
