"""``.npz`` and ``.safetensors``: a network in one file, arrays by name and the cfg's text.

Both hold the same: ``layer_12.weights`` and so on, shaped as in memory, and as text ``cfg``, ``version``, ``seen``, ``seen_bytes``.
Text is an array of one string in ``.npz``, metadata in ``.safetensors``.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc import cfg as cfg_format
from yolodsc import weights as weights_format
from yolodsc.errors import ConversionError, MissingExtraError
from yolodsc.files import MOST_TEXT
from yolodsc.layer import Layer
from yolodsc.network import MOST_WEIGHTS, Network
from yolodsc.profile import Profile
from yolodsc.weights import Header

_BROKEN = (ValueError, TypeError, LookupError, AttributeError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What NumPy, `zipfile` and safetensors raise where a file is no archive of arrays that NumPy knows."""

MOST_BYTES = 4 * MOST_WEIGHTS + 2 * MOST_TEXT
"""What an ``.npz`` file may unpack to: all weights that a network may have, and its cfg."""


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """What one file holds: arrays by name, and notes as text."""

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


def unpacked(archive: Archive, path: Path, profile: Profile) -> Network:
    """The network in an archive; a `ConversionError` names the array or note that is missing, misshapen or too many."""
    if "cfg" not in archive.notes:
        raise ConversionError(f"{path}: has no cfg inside; wanted a file that yolodsc wrote")
    blueprint = Network.build(cfg_format.parse(archive.notes["cfg"], file=str(path)), profile=profile)
    wanted = {_name(layer, name): layer.weight_shapes()[name] for layer in blueprint.layers for name in layer.stored()}
    for name in archive.arrays.keys() - wanted.keys():
        raise ConversionError(f"{path}: {name} belongs to no layer of the cfg inside")
    arrays = [
        weights_format.initial(layer) | {name: _array(archive, _name(layer, name), wanted, path) for name in layer.stored()}
        for layer in blueprint.layers
    ]
    return blueprint.with_weights(arrays, header=_header(archive, path))


def npz(archive: Archive) -> bytes:
    """The bytes of an ``.npz`` file."""
    buffer = io.BytesIO()
    entries: dict[str, Any] = {**archive.arrays, **{name: np.array(text) for name, text in archive.notes.items()}}
    np.savez(buffer, **entries)
    return buffer.getvalue()


def read_npz(path: Path) -> Archive:
    """An ``.npz`` file taken apart; nothing in it is executed."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if (length := sum(member.file_size for member in file.zip.infolist())) > MOST_BYTES:
                raise _unreadable(path, f"unpacks to {length} bytes; expected at most {MOST_BYTES}")
            entries = {name: np.asarray(file[name]) for name in file.files}  # of members that are no arrays: bytes
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from None
    except _BROKEN as error:
        raise _unreadable(path, f"not an .npz file of plain arrays ({error})") from None
    notes = {name: str(array) for name, array in entries.items() if array.dtype.kind == "U" and array.ndim == 0}
    return Archive({name: array for name, array in entries.items() if name not in notes}, notes)


def safetensors(archive: Archive) -> bytes:
    """The bytes of a ``.safetensors`` file; bytes of the cfg that are not UTF-8 are spelt out, as the format wants."""
    try:
        from safetensors.numpy import save
    except ImportError:
        raise MissingExtraError("safetensors", needed_for="a .safetensors file") from None
    notes = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in archive.notes.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in archive.arrays.items()}
    content: bytes = save(arrays, metadata=notes)
    return content


def read_safetensors(path: Path) -> Archive:
    """A ``.safetensors`` file taken apart."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors", needed_for="a .safetensors file") from None
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            notes = file.metadata() or {}
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from None
    except (SafetensorError, *_BROKEN) as error:
        raise _unreadable(path, f"not a .safetensors file ({error})") from None
    return Archive(arrays, notes)


def _name(layer: Layer, array: str) -> str:
    return f"layer_{layer.index}.{array}"


def _array(archive: Archive, name: str, wanted: Mapping[str, tuple[int, ...]], path: Path) -> Any:
    if name not in archive.arrays:
        raise ConversionError(f"{path}: {name} is missing; the cfg inside wants {wanted[name]}")
    array = archive.arrays[name]
    if array.shape != wanted[name] or array.dtype.kind != "f":
        raise ConversionError(f"{path}: {name} is {array.dtype} {array.shape}; the cfg inside wants float32 {wanted[name]}")
    return array.astype(np.float32)


def _header(archive: Archive, path: Path) -> Header:
    """Of the ``.weights`` file that it was, or of a new one."""
    notes = archive.notes
    try:
        major, minor, revision = map(int, notes.get("version", "0.2.5").split("."))
        header = Header(major, minor, revision, int(notes.get("seen", "0")), int(notes.get("seen_bytes", "8")))
        header.pack()
        fits = header.seen_bytes in (4, 8)
    except (ValueError, struct.error):
        fits = False
    if not fits:
        found = ", ".join(f"{name}={notes.get(name)}" for name in ("version", "seen", "seen_bytes"))
        raise ConversionError(f"{path}: {found}; wanted three numbers, a count, 4 or 8")
    return header


def _unreadable(path: Path, reason: object) -> ConversionError:
    return ConversionError(f"{path}: cannot be read: {reason}")
