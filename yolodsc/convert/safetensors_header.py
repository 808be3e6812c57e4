"""The header of a ``.safetensors`` file, validated before the library maps the file."""

from math import prod
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from yolodsc.errors import ConversionError
from yolodsc.files import regular_size
from yolodsc.schemas import Index, checked, joined, parse_json, refuse

MAX_HEADER = 100_000_000
"""Maximum length in bytes, as in the library."""
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64,
    "F64": 64, "F8_E4M3": 8, "F8_E5M2": 8,
}  # fmt: skip
"""Bits of each dtype whose size is a whole number of bytes."""


class TensorEntry(Struct, frozen=True, kw_only=True):
    """One array; ``data_offsets`` are its first byte and the byte after its last, counted from the end of the header."""

    dtype: Annotated[str, Meta(max_length=16)]
    shape: Annotated[list[Index], Meta(max_length=8)]
    data_offsets: tuple[Index, Index]


def read_safetensors_header(path: Path) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    """Tensors by name, and the metadata.

    Raises
    ------
    ConversionError
        The header is longer than the file, the header is not a JSON object of tensors, or the tensors do not fill the rest of
        the file without gaps.
    OSError
    """
    regular_size(path, error=ConversionError)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER):
            raise _refused(path, f"a header of {length} bytes in a file of {size}" if size >= 8 else f"{size} bytes")
        raw = file.read(length)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(path, "a header that is not UTF-8") from None
    content: Any = parse_json(text, file=f"{path}: cannot be read: not a .safetensors file", error=ConversionError)
    if not isinstance(content, dict):
        raise _refused(path, "a header that is not an object")
    notes = checked(content.pop("__metadata__", None) or {}, dict[str, str], file=path, error=ConversionError)
    tensors = checked(content, dict[str, TensorEntry], file=path, error=ConversionError)
    _check_offsets(tensors, size - 8 - length, path)
    return tensors, notes


def _check_offsets(tensors: dict[str, TensorEntry], available: int, path: Path) -> None:
    """Check that tensors fill the file without gap or overlap."""
    position = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        at = joined("$", name)
        first, last = tensor.data_offsets
        if tensor.dtype not in BITS:
            refuse(f"{at}.dtype", tensor.dtype, f"one of {', '.join(BITS)}", file=path, error=ConversionError)
        if first != position:
            refuse(f"{at}.data_offsets[0]", first, f"{position}, where the tensor before it ends", file=path, error=ConversionError)
        position += prod(tensor.shape) * BITS[tensor.dtype] // 8
        if last != position:
            refuse(f"{at}.data_offsets[1]", last, f"{position}, as dtype and shape say", file=path, error=ConversionError)
    if position != available:
        raise _refused(path, f"tensors of {position} bytes, and {available} bytes after the header")


def _refused(path: Path, found: str) -> ConversionError:
    return ConversionError(f"{path}: cannot be read: not a .safetensors file: got {found}")
