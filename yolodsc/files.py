"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    if path.is_dir():
        raise error(f"{path}: cannot be written: is a directory")
    text = {} if "b" in mode else {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    try:
        if path.exists() and (not path.is_file() or path.parent in DEVICES):
            with path.open(mode, **text) as file:  # type: ignore[call-overload]
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, mode, **text) as file:  # type: ignore[call-overload]
                yield file
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be written: {getattr(reason, 'strerror', None) or reason}") from None


def nearest(path: Path) -> Path:
    """The path itself, or the first place above it that there is."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
