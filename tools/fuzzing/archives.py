"""Targets: archives of arrays, with mutations of their members."""

import io
import json
import random
import struct
import warnings
import zipfile

from tools.fuzzing import scratch
from tools.fuzzing.target import Bytewise, Target
from yolodsc.convert.formats import read_model


def read_npz(data: bytes) -> None:
    """A network in one ``.npz``."""
    read_model(scratch.file("fuzz.npz", data))


def read_safetensors(data: bytes) -> None:
    """A network in one ``.safetensors``."""
    read_model(scratch.file("fuzz.safetensors", data))


def mutated_zip(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """A member changed, renamed, dropped or doubled; checksums are right, which bytewise mutation could not keep."""
    members = _members(data)
    if not members:
        return bytewise(data)
    at = rng.randrange(len(members))
    name, content = members[at]
    choice = rng.randrange(8)
    if choice == 0:
        del members[at]
    elif choice == 1:
        members.append(members[at])
    elif choice == 2:
        members[at] = bytewise(name.encode("utf-8", "replace")).decode("utf-8", "replace") or "x", content
    elif choice == 3:
        members[at] = name, members[rng.randrange(len(members))][1]
    else:
        members[at] = name, bytewise(content)
    return _zipped(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _members(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if info.file_size < 1 << 20]
            return [(info.filename, archive.read(info)) for info in infos]
    except Exception:  # a broken archive is mutated as bytes
        return []


def _zipped(members: list[tuple[str, bytes]], compression: int) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def mutated_safetensors(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """Change the header and correct its length, or replace one of its values by one of another type."""
    (length,) = struct.unpack_from("<Q", data.ljust(8, b"\0"))
    header, body = data[8 : 8 + length], data[8 + length :]
    try:
        content = json.loads(header)
        name = rng.choice(sorted(content))
        key = rng.choice(sorted(content[name]))
        odd = (None, -1, 0, 2**63, 2**64, "", "F64", "I8", [], [0], [2**62, 4], {}, [0, 2**40], "[net]", [1.5])
        content[name][key] = rng.choice(odd)
        changed = json.dumps(content).encode()
    except (ValueError, LookupError, TypeError):
        changed = header
    if rng.random() < 0.5:
        changed = bytewise(header)
    return struct.pack("<Q", len(changed)) + changed + body


_HEADERS = (b'"dtype":', b'"shape":[', b'"data_offsets":[')
TARGETS = (
    Target(name="npz", one=read_npz, mutate=mutated_zip, tokens=(b"\x93NUMPY", b"'descr': '|O'", b"'shape': (", b"<f4", b"<U9")),
    Target(name="safetensors", one=read_safetensors, mutate=mutated_safetensors, tokens=_HEADERS),
)
