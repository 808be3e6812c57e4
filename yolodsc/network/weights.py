"""``.weights`` files: a header of 16 or 20 bytes, then float32 numbers without names, layer after layer.

Each layer declares its stored arrays in order, so that reading and writing are one loop. The length of the file is compared with
the layers before the first array is read. Source: ``parser.c: load_weights_upto, save_weights_upto``.
"""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import WeightsError
from yolodsc.files import regular_size, write_bytes
from yolodsc.network.layer import Layer, Weights
from yolodsc.values import Value

_LONGEST_HEADER = 20


class Header(Value):
    """The header of a weights file.

    Attributes
    ----------
    major, minor, revision
        Version; AlexeyAB writes 0.2.5.
    seen
        Number of images seen in training.
    seen_bytes
        Size of ``seen`` in the file: 4 or 8.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0
    seen_bytes: int = 8

    @property
    def size(self) -> int:
        """16 or 20 bytes."""
        return 12 + self.seen_bytes

    @property
    def transpose(self) -> bool:
        """Whether fully connected weights are stored as (inputs, outputs), as very old files do."""
        return self.major > 1000 or self.minor > 1000

    def pack(self) -> bytes:
        """The header as bytes of the file."""
        seen = "Q" if self.seen_bytes == 8 else "I"
        return struct.pack(f"<iii{seen}", self.major, self.minor, self.revision, self.seen)


class WeightsFile(Value, eq=False):
    """Content of a weights file.

    ``arrays`` has one mapping per layer; ``note`` describes missing or surplus data that ``partial`` accepted.
    """

    header: Header
    arrays: tuple[Weights, ...]
    note: str | None = None


def read_weights(path: str | Path, layers: Sequence[Layer], *, partial: bool = False) -> WeightsFile:
    """Read the arrays of ``layers``.

    Parameters
    ----------
    partial
        Accept a file that is too short (missing arrays keep their initial values: scales 1, everything else 0) or too long.

    Raises
    ------
    WeightsError
        The file cannot be read, or its length is wrong: the message names the layer where it ends and the number of missing values.
    """
    expected = sum(prod(shape) for layer in layers for _, shape in _stored(layer))
    size = regular_size(path, error=WeightsError, pipes=True)
    try:
        with Path(path).open("rb") as opened:
            file: IO[bytes] = opened
            if size is None:
                content = file.read(
                    _LONGEST_HEADER + 4 * expected + 4
                )  # one value more than expected, to detect a pipe that is too long
                file, size = io.BytesIO(content), len(content)
            header = _header(path, file.read(_LONGEST_HEADER), size, expected)
            note = _misfit(path, layers, available=size - header.size, expected=expected)
            if note and not partial:
                raise WeightsError(f"{note}; partial=True accepts the file", parameter="partial")
            file.seek(header.size)
            count = min((size - header.size) // 4, expected)
            numbers = np.frombuffer(file.read(4 * count), "<f4", count)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    arrays = []
    for layer in layers:
        taken = _cut(layer, numbers, old_format=header.transpose)
        numbers = numbers[sum(prod(shape) for _, shape in _stored(layer)) :]
        arrays.append(taken)
    return WeightsFile(header, tuple(arrays), note)


def write_weights(path: str | Path, layers: Sequence[Layer], arrays: Sequence[Weights], *, header: Header) -> None:
    """Write the arrays of ``layers`` in file order, atomically."""
    parts = [header.pack()]
    for layer, weights in zip(layers, arrays, strict=True):
        transposed = layer.stored_transposed(old_format=header.transpose)
        for name, _ in _stored(layer):
            array = weights[name]
            if name in transposed:
                array = array.reshape(len(array), -1).T
            parts.append(np.ascontiguousarray(array, "<f4").tobytes())
    write_bytes(path, b"".join(parts), error=WeightsError)


def initial_weights(layer: Layer) -> dict[str, Array]:
    """Initial arrays of a layer: scales 1, everything else 0."""
    return {name: np.full(shape, 1 if name == "scales" else 0, np.float32) for name, shape in layer.weight_shapes().items()}


def _stored(layer: Layer) -> Iterator[tuple[str, tuple[int, ...]]]:
    shapes = layer.weight_shapes()
    return ((name, shapes[name]) for name in layer.stored())


def _header(path: str | Path, raw: bytes, length: int, expected: int) -> Header:
    """Header by version; where only the other length of ``seen`` makes the file fit its network, by its ``length``."""
    if length < 16:
        raise WeightsError(f"{path}: {length} bytes; expected a header of at least 16")
    major, minor, revision = struct.unpack_from("<iii", raw)
    eight = major * 10 + minor >= 2 and major < 1000 and minor < 1000
    sizes = (8, 4) if eight else (4, 8)
    seen_bytes = next((size for size in sizes if length == 12 + size + 4 * expected), sizes[0])
    if length < 12 + seen_bytes:
        raise WeightsError(f"{path}: {length} bytes; expected a header of {12 + seen_bytes}")
    (seen,) = struct.unpack_from("<Q" if seen_bytes == 8 else "<I", raw, 12)
    return Header(major, minor, revision, seen, seen_bytes)


def _misfit(path: str | Path, layers: Sequence[Layer], *, available: int, expected: int) -> str | None:
    """What is wrong with the file's length (in bytes after the header), or None."""
    if available > 4 * expected:
        surplus = f"{(available - 4 * expected) / 4:g}"
        return f"{path}: {surplus} numbers are left over after the last layer; the cfg expects {expected}"
    left = available
    for layer in layers:
        for name, shape in _stored(layer):
            left -= 4 * prod(shape)
            if left < 0:
                where = f"layer {layer.index} [{layer.type}], in {name}"
                missing = expected - available // 4
                return f"{path}: ends at {where}; {missing} of {expected} numbers are missing"
    return None


def _cut(layer: Layer, numbers: Array, *, old_format: bool) -> Mapping[str, Array]:
    """One layer's arrays from the front of ``numbers``; missing arrays keep their initial values."""
    arrays = initial_weights(layer)
    transposed = layer.stored_transposed(old_format=old_format)
    for name, shape in _stored(layer):
        count = prod(shape)
        if len(numbers) < count:
            break
        part, numbers = numbers[:count], numbers[count:]
        if name in transposed:
            part = part.reshape(-1, shape[0]).T
        arrays[name] = part.reshape(shape).astype(np.float32)
    return arrays
