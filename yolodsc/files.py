"""Files that appear whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from yolodsc.errors import YolodscError

DEVICES = (Path("/dev"), Path("/dev/fd"))
"""Where standard output may be a plain file."""


MOST_TEXT = 2**24
"""Bytes of the longest text file of a network (cfg, names, data): the longest that exist have a ten-thousandth of that."""


def regular_size(path: str | Path, *, error: type[YolodscError], most: int | None = None, pipes: bool = False) -> int | None:
    """The length of a file that is about to be read; None where the system does not know, for the reader to find out.

    Parameters
    ----------
    error
        What to raise for a file that is too long, a device, or a named pipe (opening one waits for a writer that may never come).
    most
        The longest file that is read.
    pipes
        Accept the pipes of a shell, ``/dev/stdin`` or ``<(command)``, of which the length is not known.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None  # whoever opens it says why
    kind = found.st_mode
    if stat.S_ISFIFO(kind) and pipes and Path(path).parent in (*DEVICES, Path("/proc/self/fd")):
        return None
    if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind) or stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        raise error(f"{path}: is a {'pipe' if stat.S_ISFIFO(kind) else 'device or socket'}; expected a file")
    if most is not None and found.st_size > most:
        raise error(f"{path}: {found.st_size} bytes; expected at most {most}")
    return found.st_size


def read_bytes(path: str | Path, *, error: type[YolodscError], most: int = MOST_TEXT) -> bytes:
    """The content of a file of at most ``most`` bytes; files that lie about their length (``/proc``) and pipes are cut there."""
    regular_size(path, most=most, error=error, pipes=True)
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as reason:
        raise error(f"{path}: cannot be read: {getattr(reason, 'strerror', None) or reason}") from None
    if len(content) > most:
        raise error(f"{path}: more than {most} bytes; expected at most that")
    return content


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


def write_bytes(path: str | Path, content: bytes, *, error: type[YolodscError]) -> None:
    """Put ``content`` in place of ``path`` in one step."""
    with replacing(path, error=error) as file:
        file.write(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
