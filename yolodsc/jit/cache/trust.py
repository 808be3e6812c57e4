"""Folders and files that nobody but the user can have written.

Everything is checked on an open descriptor and reached from that descriptor, so nothing can be swapped between check and use.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

WINDOWS = os.name == "nt"
"""Windows has access lists in place of owners and modes (``st_uid`` is 0, modes are invented) and no descriptors of directories.
A user's profile, where the cache is, is closed to other users by its inherited access list, so nothing is checked there."""

LINKS = 40
"""Symbolic links on one path, as in Linux."""

_OTHERS = stat.S_IWGRP | stat.S_IWOTH  # an access list that lets somebody write shows in the bits of the group
_DIRECTORY = 0 if WINDOWS else os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SEARCH = _DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)  # O_PATH: /home may be searched, yet not be read
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class UntrustedError(PermissionError):
    """Somebody else could have written this; the text says why."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder: names in it are looked up by descriptor, or by path where there are no descriptors."""

    path: Path
    descriptor: int | None

    def at(self, name: str) -> str:
        """What to hand to the system, together with the descriptor."""
        return name if self.descriptor is not None else str(self.path / name)


@contextmanager
def private_folder(path: Path, *, make: bool = False) -> Iterator[Folder]:
    """The folder of an absolute path, if only the user can write to it and only root and the user to those above.

    Folders above may be open to others where they are sticky, such as ``/tmp``. Symbolic links must be root's or the user's.

    Parameters
    ----------
    make
        Make folders that are missing, for the user alone.

    Raises
    ------
    UntrustedError
        Somebody else could put files there or swap a folder.
    OSError
        There is no such folder, or it cannot be opened or made.
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
        _see_that_only_the_user_writes(os.fstat(descriptor), path)
        yield Folder(path, descriptor)
    finally:
        os.close(descriptor)


def can_be_made(path: Path) -> None:
    """See that the folder is there and open to the user, or that it could be made; an `OSError` otherwise."""
    if WINDOWS:
        return
    descriptor, rest = _descend(path, make=False)
    try:
        if not rest:
            _see_that_only_the_user_writes(os.fstat(descriptor), path)
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
            raise PermissionError(errno.EACCES, "cannot be written to", str(path))
    finally:
        os.close(descriptor)


def read_private(folder: Folder, name: str) -> bytes:
    """The content of a file that only the user can have written; an `OSError` otherwise."""
    # O_NONBLOCK: a pipe in place of the file must not hold the process
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _FILE
    descriptor = os.open(folder.at(name), flags, dir_fd=folder.descriptor)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedError(f"{folder.path / name} is not a file")
        if not WINDOWS:
            _see_that_only_the_user_writes(status, folder.path / name)
        return file.read()


def write_private(folder: Folder, name: str, data: bytes) -> None:
    """A file for the user alone, which appears whole or not at all."""
    beside = f".{token_hex(16)}"
    try:
        descriptor = os.open(folder.at(beside), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=folder.descriptor)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(folder.at(beside), folder.at(name), src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(folder.at(beside), dir_fd=folder.descriptor)
        raise


def _descend(path: Path, *, make: bool) -> tuple[int, list[str]]:
    """Descriptor of the deepest folder of the path that there is, every folder and link above it checked, and the rest."""
    rest, links, place = list(reversed(path.parts[1:])), 0, Path("/")
    descriptor = os.open("/", _SEARCH)
    try:
        while rest:
            _see_that_nobody_swaps(os.fstat(descriptor), place)
            status = _status(rest[-1], descriptor, make=make)
            if status is None:
                break
            name = rest.pop()
            if stat.S_ISLNK(status.st_mode):
                links += 1
                rest += _target(place / name, status, descriptor, links)
                following, place = (os.open("/", _SEARCH), Path("/")) if rest[-1:] == ["/"] else (os.dup(descriptor), place)
                rest = [part for part in rest if part != "/"]
            else:
                following, place = os.open(name, _SEARCH, dir_fd=descriptor), place / name
            descriptor = _instead(descriptor, following)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, rest


def _instead(descriptor: int, following: int) -> int:
    os.close(descriptor)
    return following


def _status(name: str, folder: int, *, make: bool) -> os.stat_result | None:
    """Of a name in a folder, made if wished; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if not make:
            return None
    with suppress(FileExistsError):  # another process may have been faster
        os.mkdir(name, 0o700, dir_fd=folder)
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _target(link: Path, status: os.stat_result, folder: int, links: int) -> list[str]:
    """The parts that a symbolic link stands for, last first; ``/`` is the last of them where it is absolute."""
    if status.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"{link} is a symbolic link of another user (uid {status.st_uid})")
    if links > LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(link))
    return list(reversed(Path(os.readlink(link.name, dir_fd=folder)).parts))


def _see_that_nobody_swaps(status: os.stat_result, path: Path) -> None:
    """See that what is in a folder cannot be renamed or removed by other users than root."""
    if status.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & _OTHERS and not status.st_mode & stat.S_ISVTX:
        raise UntrustedError(f"{path} can be written to by other users")


def _see_that_only_the_user_writes(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & _OTHERS:
        raise UntrustedError(f"{path} can be written to by other users")
