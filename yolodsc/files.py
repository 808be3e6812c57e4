"""Files that appear whole or not at all, and questions about paths that always have an answer.

Before Python 3.14 ``Path.exists`` and its kin raise for names that are too long or may not be looked up, and ``Path.resolve`` for
loops of links. Names come from users and lists: here the answer is False, or the path as far as it can be followed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO

from yolodsc.errors import YolodscError

DEVICES = (Path("/dev"), Path("/dev/fd"))
"""Where standard output may be a plain file."""


@contextmanager
def replacing(path: str | Path, *, error: type[YolodscError], mode: str = "wb") -> Iterator[IO]:  # type: ignore[type-arg]
    """A file to write into, which takes the place of ``path`` in one step when the block ends well; a device is written to.

    Parameters
    ----------
    error
        What to raise where the file cannot be written; the text says why.
    mode
        ``wb``, or ``w`` for UTF-8 text without translation of line ends.
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
        beside = path.parent / f".{path.name[:40]}.{token_hex(8)}"  # named before it is there, so that no signal can come between
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
    """Whether there is something at the path."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | Path) -> bool:
    """Whether the path leads to a file."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Whether the path leads to a directory."""
    return os.path.isdir(path)  # noqa: PTH112


def resolved(path: str | Path) -> Path:
    """The path without links, as far as links can be followed."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # the working directory is gone, or a NUL
        return Path(path)


def nearest(path: Path) -> Path:
    """The path itself, or the first place above it that there is."""
    above = resolved(path) if exists(path) else Path(os.path.normpath(path if path.is_absolute() else resolved(".") / path))
    return next((place for place in (path, above, *above.parents) if exists(place)), Path("/"))


def folder(path: str | Path, *, error: type[YolodscError]) -> Path:
    """A directory to write into, made where there is none yet."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be a directory: {getattr(reason, 'strerror', None) or reason}") from None
    return Path(path)


def text_of(path: str | Path, *, error: type[YolodscError], errors: str = "replace") -> str:
    """The text of a UTF-8 file, with or without byte order mark; ``error`` where it cannot be read, a directory for instance."""
    try:
        return Path(path).read_text(encoding="utf-8-sig", errors=errors)
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be read: {getattr(reason, 'strerror', None) or reason}") from None


def write_bytes(path: str | Path, content: bytes, *, error: type[YolodscError]) -> None:
    """Put ``content`` in place of ``path`` in one step."""
    with replacing(path, error=error) as file:
        file.write(content)


def _opened(path: Path, mode: str) -> IO:  # type: ignore[type-arg]
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    return path.open(mode, **text)  # type: ignore[call-overload]
