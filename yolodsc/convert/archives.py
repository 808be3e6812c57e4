"""``.npz`` and ``.safetensors``: a network in one file, with arrays by name and the text of the cfg.

Both contain ``layer_12.weights`` and so on, shaped as in memory, and the texts ``cfg``, ``version``, ``seen``, ``seen_bytes``.
Text is an array of one string in ``.npz``, metadata in ``.safetensors``.
"""

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.convert.safetensors_header import read_safetensors_header
from yolodsc.darknet import Profile, parse_cfg
from yolodsc.errors import ConversionError, MissingExtraError
from yolodsc.network import Header, Layer, Network, initial_weights
from yolodsc.schemas import open_npz

_REAL = ("F16", "F32", "F64")
"""Floating-point dtypes of safetensors that NumPy supports."""


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """Content of one file: arrays by name, and texts by name."""

    arrays: Mapping[str, Any]
    notes: Mapping[str, str]


def packed(network: Network, text: str) -> Archive:
    """A network and the text of its cfg as an archive; the arrays are those of its ``.weights`` file."""
    arrays = {
        _name(layer, name): weights[name]
        for layer, weights in zip(network.layers, network.weights, strict=True)
        for name in layer.stored()
    }
    header = network.header
    version = f"{header.major}.{header.minor}.{header.revision}"
    return Archive(arrays, {"cfg": text, "version": version, "seen": str(header.seen), "seen_bytes": str(header.seen_bytes)})


def read(path: Path, profile: Profile) -> tuple[Network, str]:
    """The network in a ``.npz`` or ``.safetensors`` file, and its cfg's text.

    Names, shapes and dtypes of all arrays are compared with the cfg inside before any array is read. A `ConversionError` names the
    first array or text that is missing, unexpected or has the wrong shape.
    """
    with _opened(path) as source:
        if "cfg" not in source.notes:
            raise ConversionError(f"{path}: contains no cfg; expected a file written by yolodsc")
        blueprint = Network.build(parse_cfg(source.notes["cfg"], file=str(path)), profile=profile)
        header = _header(source.notes, path)
        expected = {_name(layer, name): layer.weight_shapes()[name] for layer in blueprint.layers for name in layer.stored()}
        _check(source, expected, path)
        arrays = [
            initial_weights(layer) | {name: source.array(_name(layer, name)).astype(np.float32) for name in layer.stored()}
            for layer in blueprint.layers
        ]
    return blueprint.with_weights(arrays, header=header), source.notes["cfg"]


def npz(archive: Archive) -> bytes:
    """The bytes of an ``.npz`` file."""
    buffer = io.BytesIO()
    entries: dict[str, Any] = {**archive.arrays, **{name: np.array(text) for name, text in archive.notes.items()}}
    np.savez(buffer, **entries)
    return buffer.getvalue()


def safetensors(archive: Archive) -> bytes:
    """The bytes of a ``.safetensors`` file; bytes of the cfg that are not UTF-8 are escaped, as the format requires."""
    try:
        from safetensors.numpy import save
    except ImportError:
        raise MissingExtraError("safetensors", needed_for="a .safetensors file") from None
    notes = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in archive.notes.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in archive.arrays.items()}
    content: bytes = save(arrays, metadata=notes)
    return content


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """An open file.

    ``entries`` has one (is real, shape, description) for each array; ``array`` reads one array.
    """

    notes: Mapping[str, str]
    entries: Mapping[str, tuple[bool, tuple[int, ...], str]]
    array: Callable[[str], Any]


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    if path.suffix.lower() == ".safetensors":
        with _safetensors(path) as source:
            yield source
        return
    with open_npz(path, error=ConversionError) as file:
        notes = file.texts()
        entries = {name: (e.dtype.kind == "f", e.shape, str(e)) for name, e in file.entries.items() if name not in notes}
        yield _Source(notes, entries, file.array)


@contextmanager
def _safetensors(path: Path) -> Iterator[_Source]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors", needed_for="a .safetensors file") from None
    try:
        tensors, notes = read_safetensors_header(path)
        entries = {name: (t.dtype in _REAL, tuple(t.shape), f"{t.dtype} {tuple(t.shape)}") for name, t in tensors.items()}
        with safe_open(path, framework="numpy") as file:
            yield _Source(notes, entries, file.get_tensor)
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from None
    except SafetensorError as error:
        raise _unreadable(path, f"not a .safetensors file ({error})") from None


def _check(source: _Source, expected: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Check that the file has exactly the arrays that the cfg inside describes."""
    for name in source.entries.keys() - expected.keys():
        raise ConversionError(f"{path}: {name} belongs to no layer of the cfg inside")
    for name, shape in expected.items():
        if name not in source.entries:
            raise ConversionError(f"{path}: {name} is missing; the cfg inside expects {shape}")
        real, actual, found = source.entries[name]
        if actual != shape or not real:
            raise ConversionError(f"{path}: {name} is {found}; the cfg inside expects float32 {shape}")


def _name(layer: Layer, array: str) -> str:
    return f"layer_{layer.index}.{array}"


def _header(notes: Mapping[str, str], path: Path) -> Header:
    """Header of the original ``.weights`` file, or of a new one."""
    try:
        major, minor, revision = map(int, notes.get("version", "0.2.5").split("."))
        header = Header(major, minor, revision, int(notes.get("seen", "0")), int(notes.get("seen_bytes", "8")))
        header.pack()
        fits = header.seen_bytes in (4, 8)
    except (ValueError, struct.error):
        fits = False
    if not fits:
        found = ", ".join(f"{name}={notes.get(name, '')[:40]}" for name in ("version", "seen", "seen_bytes"))
        raise ConversionError(f"{path}: {found}; expected three numbers, a count, 4 or 8")
    return header


def _unreadable(path: Path, reason: object) -> ConversionError:
    return ConversionError(f"{path}: cannot be read: {reason}")
