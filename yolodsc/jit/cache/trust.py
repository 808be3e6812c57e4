"""Folders and files that nobody but the user can have written.

Checks are made on open descriptors, and paths are resolved from them, so nothing can be swapped between check and use.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from yolodsc.values import Value

WINDOWS = os.name == "nt"
"""Windows has access lists instead of owners and modes (``st_uid`` is 0, modes are made up) and no descriptors of directories.
The inherited access list of a user's profile, which holds the cache, excludes other users, so nothing is checked there."""

LINKS = 40
"""Maximum symbolic links on one path, as in Linux."""

_OTHERS = stat.S_IWGRP | stat.S_IWOTH  # an access list that grants writing shows in the bits of the group
_DIRECTORY = 0 if WINDOWS else os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SEARCH = _DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)  # O_PATH: /home may be searchable but not readable
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class UntrustedError(PermissionError):
    """Another user could have written this; the text states why."""


class Folder(Value):
    """An open folder. Names in it are resolved by descriptor, or by path if there are no descriptors."""

    path: Path
    descriptor: int | None

    def at(self, name: str) -> str:
        """Return the path to pass to the system together with the descriptor."""
        return name if self.descriptor is not None else str(self.path / name)


@contextmanager
def private_folder(path: Path, *, make: bool = False) -> Iterator[Folder]:
    """Open the folder of an absolute path, if only the user can write to it and only root and the user to its parents.

    Sticky parents such as ``/tmp`` may be writable by others. Symbolic links must belong to root or the user.

    Parameters
    ----------
    make
        Create missing folders, for the user alone.

    Raises
    ------
    UntrustedError
        Another user could put files there or swap a folder.
    OSError
        There is no such folder, or it cannot be opened or created.
    """
    if WINDOWS:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        yield Folder(path, None)
        return
    descriptor, rest = _descend(path, make=make)
    try:
        if rest:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        _require_private(os.fstat(descriptor), path)
        yield Folder(path, descriptor)
    finally:
        os.close(descriptor)


def can_be_made(path: Path) -> None:
    """Check that the folder exists and is open to the user, or that it could be created; an `OSError` otherwise."""
    if WINDOWS:
        return
    descriptor, rest = _descend(path, make=False)
    try:
        if not rest:
            _require_private(os.fstat(descriptor), path)
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
            raise PermissionError(errno.EACCES, "cannot be written to", str(path))
    finally:
        os.close(descriptor)


def read_private(folder: Folder, name: str) -> bytes:
    """Return the content of a file that only the user can have written; an `OSError` otherwise."""
    # O_NONBLOCK: a pipe instead of the file must not block the process
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _FILE
    descriptor = os.open(folder.at(name), flags, dir_fd=folder.descriptor)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedError(f"{folder.path / name} is not a file")
        if not WINDOWS:
            _require_private(status, folder.path / name)
        return file.read()


def write_private(folder: Folder, name: str, data: bytes) -> None:
    """Write a file for the user alone; it appears whole or not at all."""
    temporary = f".{os.urandom(16).hex()}"
    try:
        descriptor = os.open(folder.at(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=folder.descriptor)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(folder.at(temporary), folder.at(name), src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(folder.at(temporary), dir_fd=folder.descriptor)
        raise


def _descend(path: Path, *, make: bool) -> tuple[int, list[str]]:
    """Return a descriptor of the deepest existing folder of the path and the remaining parts; every parent and link is checked."""
    rest, links, current = list(reversed(path.parts[1:])), 0, Path("/")
    descriptor = os.open("/", _SEARCH)
    try:
        while rest:
            _require_unswappable(os.fstat(descriptor), current)
            status = _status(rest[-1], descriptor, make=make)
            if status is None:
                break
            name = rest.pop()
            if stat.S_ISLNK(status.st_mode):
                links += 1
                rest += _target(current / name, status, descriptor, links)
                following, current = (os.open("/", _SEARCH), Path("/")) if rest[-1:] == ["/"] else (os.dup(descriptor), current)
                rest = [part for part in rest if part != "/"]
            else:
                following, current = os.open(name, _SEARCH, dir_fd=descriptor), current / name
            descriptor = _close_then(descriptor, following)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, rest


def _close_then(descriptor: int, following: int) -> int:
    os.close(descriptor)
    return following


def _status(name: str, folder: int, *, make: bool) -> os.stat_result | None:
    """Return the status of a name in a folder, created if ``make``; None if it is missing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if not make:
            return None
    with suppress(FileExistsError):  # another process may have created it
        os.mkdir(name, 0o700, dir_fd=folder)
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _target(link: Path, status: os.stat_result, folder: int, links: int) -> list[str]:
    """Return the parts of a symbolic link's target in reverse; the last one is ``/`` if the target is absolute."""
    if status.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"{link} is a symbolic link of another user (uid {status.st_uid})")
    if links > LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(link))
    return list(reversed(Path(os.readlink(link.name, dir_fd=folder)).parts))


def _require_unswappable(status: os.stat_result, path: Path) -> None:
    """Check that only root and the user can rename or remove what is in a folder."""
    if status.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & _OTHERS and not status.st_mode & stat.S_ISVTX:
        raise UntrustedError(f"{path} can be written to by other users")


def _require_private(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & _OTHERS:
        raise UntrustedError(f"{path} can be written to by other users")
