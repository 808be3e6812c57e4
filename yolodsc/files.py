"""Atomic writes, bounded reads, and path queries that never raise.

Before Python 3.14 ``Path.exists`` and similar methods raise for names that are too long or not accessible, and ``Path.resolve``
raises for cycles of links. The functions here return False, or the path resolved as far as possible.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from yolodsc.errors import YolodscError

DEVICES = (Path("/dev"), Path("/dev/fd"))
"""Directories in which standard output may be a regular file."""


MAX_TEXT_BYTES = 2**24
"""Maximum size of a text file of a network (cfg, names, data); real files are ten thousand times smaller."""

MAX_DATA_BYTES = 2**31
"""Maximum size of a text file of a dataset or its detections; the annotations of COCO have a quarter of that."""


def regular_size(path: str | Path, *, error: type[YolodscError], max_bytes: int | None = None, pipes: bool = False) -> int | None:
    """Size of a file in bytes, or None if it is unknown.

    Parameters
    ----------
    error
        Raised for a file that is too long, a device, or a named pipe (opening one blocks until a writer exists).
    max_bytes
        Maximum size.
    pipes
        Accept pipes of a shell, ``/dev/stdin`` or ``<(command)``, whose size is unknown.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None  # opening the file raises the error
    kind = found.st_mode
    if stat.S_ISFIFO(kind) and pipes and Path(path).parent in (*DEVICES, Path("/proc/self/fd")):
        return None
    if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind) or stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        raise error(f"{path}: is a {'pipe' if stat.S_ISFIFO(kind) else 'device or socket'}; expected a file")
    if max_bytes is not None and found.st_size > max_bytes:
        raise error(f"{path}: {found.st_size} bytes; expected at most {max_bytes}")
    return found.st_size


def read_bytes(path: str | Path, *, error: type[YolodscError], max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """The content of a file, at most ``max_bytes`` bytes of it; this holds for pipes and ``/proc`` files of unknown length too."""
    regular_size(path, max_bytes=max_bytes, error=error, pipes=True)
    try:
        with Path(path).open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be read: {getattr(reason, 'strerror', None) or reason}") from None
    if len(content) > max_bytes:
        raise error(f"{path}: more than {max_bytes} bytes; expected at most that")
    return content


def text_of(path: str | Path, *, error: type[YolodscError], errors: str = "replace", max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file, with or without byte order mark, each line ending with a newline character."""
    content = read_bytes(path, error=error, max_bytes=max_bytes)
    try:
        text = content.decode("utf-8-sig", errors=errors)
    except ValueError as reason:
        raise error(f"{path}: cannot be read: {reason}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def replacing(path: str | Path, *, error: type[YolodscError], mode: str = "wb") -> Iterator[IO]:  # type: ignore[type-arg]
    """Open a file that replaces ``path`` atomically when the block ends without an exception; devices are written directly.

    Parameters
    ----------
    error
        Raised if the file cannot be written; the message gives the reason.
    mode
        ``wb``, or ``w`` for UTF-8 text without newline translation.
    """
    path = Path(path)
    if is_folder(path):
        raise error(f"{path}: cannot be written: is a directory")
    try:
        if exists(path) and (not is_file(path) or path.parent in DEVICES):
            with _opened(path, mode) as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # the name is known before the file exists, so that a signal cannot leave a file that nobody removes
        beside = path.parent / f".{path.name[:40]}.{os.urandom(8).hex()}"
        try:
            with _opened(beside, mode.replace("w", "x")) as file:
                yield file
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be written: {getattr(reason, 'strerror', None) or reason}") from None


def exists(path: str | Path) -> bool:
    """Whether the path exists."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | Path) -> bool:
    """Whether the path is a file or a link to one."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Whether the path is a directory or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112


def resolved(path: str | Path) -> Path:
    """The path with links resolved as far as possible."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # the working directory does not exist, or the path contains NUL
        return Path(path)


def nearest(path: Path) -> Path:
    """The path itself, or its nearest ancestor that exists."""
    above = resolved(path) if exists(path) else Path(os.path.normpath(path if path.is_absolute() else resolved(".") / path))
    return next((candidate for candidate in (path, above, *above.parents) if exists(candidate)), Path("/"))


def folder(path: str | Path, *, error: type[YolodscError]) -> Path:
    """Create a directory if it does not exist."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be a directory: {getattr(reason, 'strerror', None) or reason}") from None
    return Path(path)


def write_bytes(path: str | Path, content: bytes, *, error: type[YolodscError]) -> None:
    """Replace ``path`` by a file with ``content`` atomically."""
    with replacing(path, error=error) as file:
        file.write(content)


def _opened(path: Path, mode: str) -> IO:  # type: ignore[type-arg]
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    return path.open(mode, **text)  # type: ignore[call-overload]
