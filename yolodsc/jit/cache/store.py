"""The folder in which compiled kernels are kept from one process to the next.

Whatever cannot be read is as if it were not there, and what cannot be written is not kept: a full disk or a read-only folder costs
time, never the run. Files appear whole or not at all, so processes may write at the same time.

What is read is going to be executed. A file counts only if nobody but the user can have written it (`trust`); the digest of name
and content is no secret and protects against damage and files under each other's names, not against people.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.jit.cache.trust import can_be_made, private_folder, read_private, write_private

MAGIC = b"yolodsc3"


def cache_directory() -> Path:
    """Where kernels are kept: YOLODSC_CACHE, or the user's cache folder.

    A relative XDG_CACHE_HOME does not count, as its specification has it.

    Raises
    ------
    OptionError
        YOLODSC_CACHE is not an absolute path.
    FileNotFoundError
        There is no home directory.
    """
    if chosen := os.environ.get("YOLODSC_CACHE"):
        if not Path(chosen).is_absolute():
            raise OptionError(f"YOLODSC_CACHE={chosen}: expected an absolute path")
        return Path(chosen)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else _home() / ".cache") / "yolodsc" / "kernels"


def distrust_reason() -> str:
    """Why kernels cannot be kept; empty where they can."""
    try:
        can_be_made(cache_directory())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def contents() -> list[int]:
    """Sizes in bytes of the files that are kept; none where the folder is not trusted."""
    try:
        with private_folder(cache_directory()) as folder, os.scandir(folder.path) as entries:
            return [entry.stat(follow_symlinks=False).st_size for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def load_cached(name: str) -> bytes | None:
    """What was kept under a name; None where there is nothing, nothing whole, or nothing to trust."""
    try:
        with private_folder(cache_directory()) as folder:
            data = read_private(folder, name)
    except OSError:
        return None
    head, content = data[: len(_head(name, b""))], data[len(_head(name, b"")) :]
    return content if head == _head(name, content) else None


def store_cached(name: str, data: bytes) -> None:
    """Keep ``data`` under a name, if that can be done."""
    with contextlib.suppress(OSError), private_folder(cache_directory(), make=True) as folder:
        write_private(folder, name, _head(name, data) + data)


def _head(name: str, content: bytes) -> bytes:
    """What precedes the content: magic, length of the name, name, digest of both."""
    named = len(name).to_bytes(2, "little") + name.encode()
    return MAGIC + named + hashlib.sha256(named + content).digest()


def _home() -> Path:
    """The user's home; an account without one, or a relative one, has none."""
    try:
        home = Path() if os.environ.get("HOME") == "" else Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise FileNotFoundError("there is no home directory; YOLODSC_CACHE may name a folder")
    return home
