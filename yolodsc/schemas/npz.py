"""``.npz`` archives: names, dtypes and shapes from the zip directory and the npy headers, before any array is read."""

import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from yolodsc.errors import YolodscError
from yolodsc.files import regular_size
from yolodsc.values import Value

MAX_TEXT = 2**26
"""Bytes of a text, 4 a character: a cfg, or the description of a training."""
MAX_HEADER = 10_000
MAX_MEMBERS = 2**16
_BROKEN = (ValueError, TypeError, LookupError, EOFError, RuntimeError, MemoryError, SyntaxError, zipfile.BadZipFile, zlib.error)
"""What `zipfile` and NumPy raise where a file is no archive of arrays."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class NpzEntry(Value):
    """One array as its header describes it; the member's length is that of header and array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def is_text(self) -> bool:
        """Whether it is one string."""
        return self.dtype.kind == "U" and self.shape == ()

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class Npz(Value, eq=False):
    """An open archive, of which only headers have been read.

    Attributes
    ----------
    entries
        By the names of the arrays.
    """

    path: Path
    entries: Mapping[str, NpzEntry]
    _zip: zipfile.ZipFile

    def array(self, name: str) -> Any:
        """One array; the caller has compared its entry with what it expects."""
        with self._zip.open(f"{name}.npy") as member:
            return npy.read_array(member, allow_pickle=False, max_header_size=MAX_HEADER)

    def texts(self) -> dict[str, str]:
        """All entries that are one string, each of at most `MAX_TEXT` bytes."""
        texts = {}
        for name, entry in self.entries.items():
            if entry.is_text:
                if entry.dtype.itemsize > MAX_TEXT:
                    raise ValueError(f"{name}: a text of {entry.dtype.itemsize} bytes; expected at most {MAX_TEXT}")
                array = self.array(name)
                codes = np.frombuffer(array.tobytes(), f"{entry.dtype.str[0]}u4")  # NumPy hands on whatever stands there
                if (codes > sys.maxunicode).any():
                    raise ValueError(f"{name}: a text with numbers that are no characters")
                texts[name] = str(array)
        return texts


@contextmanager
def open_npz(path: Path, *, error: type[YolodscError]) -> Iterator[Npz]:
    """An archive whose members are all plain arrays with headers that match their lengths.

    What NumPy and `zipfile` raise within the block becomes ``error`` too, with the file's name.
    """
    regular_size(path, error=error)
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
            yield Npz(path, _entries(archive), archive)
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror or reason}") from None
    except _BROKEN as reason:
        text = " ".join(str(reason).split())[:200] or type(reason).__name__
        raise error(f"{path}: cannot be read: not an .npz file of plain arrays ({text})") from None


def _entries(archive: zipfile.ZipFile) -> dict[str, NpzEntry]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"{len(members)} members; expected at most {MAX_MEMBERS}")
    entries: dict[str, NpzEntry] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name == member.filename or name in entries:
            raise ValueError(f"member {member.filename!r}; expected .npy files, each once")
        if member.compress_type not in _METHODS:
            raise ValueError(f"{name}: compression {member.compress_type}; expected stored or deflated")
        with archive.open(member) as content:
            entries[name] = _header(name, content, member.file_size)
    return entries


def _header(name: str, content: IO[bytes], size: int) -> NpzEntry:
    """One npy header; its array must fill the member to the last byte."""
    try:
        version = npy.read_magic(content)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, _, dtype = read(content, max_header_size=MAX_HEADER)
    except OSError:
        raise
    except Exception as reason:  # the header is a Python literal: whatever parsing one raises
        raise ValueError(f"{name}: no npy header of version 1.0 or 2.0 ({reason})") from None
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise ValueError(f"{name}: dtype {dtype}; expected plain numbers or text")
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"{name}: shape {shape}; expected lengths of 0 or more")
    expected = content.tell() + prod(shape) * dtype.itemsize
    if expected != size:
        raise ValueError(f"{name}: {dtype} {shape} in {size} bytes; expected {expected}")
    return NpzEntry(dtype, shape)
