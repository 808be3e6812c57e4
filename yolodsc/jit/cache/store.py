"""The folder of cached code.

Entries that cannot be read count as missing, and entries that cannot be written are not stored: a full disk or a read-only folder
costs time, never the run. Files appear whole or not at all, so processes may write at the same time. There are three kinds:

* ``KEY.o``, machine code of one kernel, which is loaded without a compiler (`machine_code`);
* ``KEY.nb``, an overload of a function that Numba compiled (`numba_cache`);
* ``host-KEY.json``, the description of the processor (`host`).

A key covers everything that an entry depends on (`key`). Entries are executed, so a file counts only if nobody but the user can
have written it (`trust`). The digest in front of an entry protects against damage and swapped names, not against people.
"""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.jit.cache.trust import Folder, can_be_made, private_folder, read_private, write_private

MAGIC = b"yolodsc3"


def cache_directory() -> Path:
    """Return the folder of cached code: YOLODSC_CACHE, or a folder in the user's cache folder.

    A relative XDG_CACHE_HOME is ignored, as its specification requires.

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
    """Return why code cannot be cached; empty if it can."""
    try:
        can_be_made(cache_directory())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def contents() -> list[int]:
    """Return the sizes in bytes of the cached files; none if the folder is not trusted."""
    try:
        with private_folder(cache_directory()) as folder, os.scandir(folder.path) as entries:
            return [entry.stat(follow_symlinks=False).st_size for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def load_cached(name: str) -> bytes | None:
    """Return the entry of a name; None if it is missing, damaged or not trusted."""
    return load_entries([name])[0]


def load_entries(names: Sequence[str]) -> list[bytes | None]:
    """Return the entries of several names as `load_cached` does; the folder and its parents are checked once."""
    try:
        with private_folder(cache_directory()) as folder:
            return [_entry(folder, name) for name in names]
    except OSError:
        return [None] * len(names)


def _entry(folder: Folder, name: str) -> bytes | None:
    try:
        data = read_private(folder, name)
    except OSError:
        return None
    length = len(MAGIC) + 2 + len(name.encode()) + hashlib.sha256().digest_size
    head, content = data[:length], data[length:]
    return content if head == _head(name, content) else None


def store_cached(name: str, data: bytes) -> None:
    """Store ``data`` under a name, if possible."""
    with contextlib.suppress(OSError), private_folder(cache_directory(), make=True) as folder:
        write_private(folder, name, _head(name, data) + data)


def _head(name: str, content: bytes) -> bytes:
    """Return the header of a file: magic, length of the name, name, digest of name and content."""
    named = len(name).to_bytes(2, "little") + name.encode()
    return MAGIC + named + hashlib.sha256(named + content).digest()


def _home() -> Path:
    """Return the user's home directory; a FileNotFoundError if there is none or it is relative."""
    try:
        home = Path() if os.environ.get("HOME") == "" else Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise FileNotFoundError("there is no home directory; YOLODSC_CACHE may name a folder")
    return home
