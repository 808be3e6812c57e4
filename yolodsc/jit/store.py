"""The folder in which compiled kernels are kept from one process to the next.

Whatever cannot be read is as if it were not there, and what cannot be written is not kept: a full disk or a read-only folder costs
time, never the run. Files appear whole or not at all, so processes may write at the same time; what is read is checked against a
digest, because it is going to be executed.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from yolodsc.files import nearest

MAGIC = b"yolodsc2"
HEAD = len(MAGIC) + hashlib.sha256().digest_size


def cache_directory() -> Path:
    """Where kernels are kept: YOLODSC_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("YOLODSC_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "yolodsc" / "kernels"


def writable() -> bool:
    """Whether kernels can be kept: the folder is there, or can be made."""
    place = nearest(cache_directory())
    return place.is_dir() and os.access(place, os.W_OK)


def kept(name: str) -> bytes | None:
    """What was kept under a name; None where there is nothing, or nothing whole."""
    try:
        data = (cache_directory() / name).read_bytes()
    except OSError:
        return None
    whole = data[: len(MAGIC)] == MAGIC and hashlib.sha256(data[HEAD:]).digest() == data[len(MAGIC) : HEAD]
    return data[HEAD:] if whole else None


def keep(name: str, data: bytes) -> None:
    """Keep ``data`` under a name, if that can be done."""
    with contextlib.suppress(OSError):
        folder = cache_directory()
        folder.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(MAGIC + hashlib.sha256(data).digest() + data)
            Path(beside).replace(folder / name)
        except OSError:
            Path(beside).unlink(missing_ok=True)
