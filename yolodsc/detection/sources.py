"""Image sources: files, directories, glob patterns, lists of paths and standard input."""

import codecs
import glob
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from io import IOBase
from itertools import chain, count, takewhile
from pathlib import Path

from yolodsc.errors import MissingExtraError, OptionError
from yolodsc.files import exists, is_file, is_folder, resolved

IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .ppm .pgm .pbm .pnm .gif .jp2 .tga .avif".split()
)
"""Extensions of the files that a directory contributes."""


_Identity = tuple[int, int]

Lines = Iterable[str | bytes]
"""Lines of a list; bytes if they come from a file."""

LONGEST_PATH = 2**16
"""Maximum characters of a line of a list; reading stops at longer lines."""


class Sources:
    """Paths of all images of the sources, in order; those of a directory are sorted.

    Directories and patterns are expanded at once, lists are read again by each iteration, standard input as the iteration goes on:
    a list of any length takes no memory.

    Parameters
    ----------
    sources
        An image, a directory, a pattern (``*``, ``?``, ``**``), a ``.txt`` file of paths, or ``-`` for paths on standard input.
    others
        Further files that the run reads, for `reads`.

    Raises
    ------
    OptionError
        A source names nothing; a list that names nothing raises it when its turn comes.
    """

    def __init__(
        self, sources: Iterable[str], *, others: Iterable[str | Path] = (), standard_input: Iterable[str] | None = None
    ) -> None:
        sources = tuple(sources)
        self._standard_input = standard_input
        self._parts = [(source, _expanded(source)) for source in sources]
        self._others = (*others, *_files_among(sources))
        self._found: dict[Path, frozenset[_Identity]] = {}
        self.endless = "-" in sources

    def __iter__(self) -> Iterator[str]:
        for source, paths in self._parts:
            if source == "-":
                yield from _listed(
                    _standard_input() if self._standard_input is None else self._standard_input, origin="standard input"
                )
            else:
                yield from _list_file(source) if paths is None else paths

    def count(self) -> int | None:
        """Return the number of paths; None if standard input is a source."""
        return None if self.endless else sum(1 for _ in self)

    @property
    def single(self) -> bool:
        """Whether the sources are one path, which no list names."""
        return [len(paths or ()) for _, paths in self._parts] == [1]

    def reads(self, path: Path) -> bool:
        """Whether this run reads a file, under this or another name; standard input is not considered."""
        return (identity := _identity(path)) is not None and identity in self._read_in(path.parent)

    def may_read(self, path: Path) -> bool:
        """Whether this run reads a file or may do so: standard input can name any file that exists."""
        return exists(path) and (self.endless or self.reads(path))

    def _read_in(self, folder: Path) -> frozenset[_Identity]:
        """Identities of the files in a folder that this run reads, computed once a folder."""
        if folder not in self._found:
            there = {_identity(path) for path in folder.iterdir()}
            read = (_identity(path) for path in chain(self._others, self._inside(folder)))
            self._found[folder] = frozenset(identity for identity in read if identity and identity in there)
        return self._found[folder]

    def _inside(self, folder: Path) -> Iterator[str]:
        """Yield the paths that lie in a folder, and links, which may lead there, at the cost of one system call a folder."""
        target = resolved(folder)
        links: dict[str, frozenset[str] | None] = {}  # by folder as written; None is the one that is searched for
        for source, paths in self._parts:
            for path in () if source == "-" else _list_file(source) if paths is None else paths:
                above, _, name = path.rpartition("/")
                if above not in links:
                    location = Path(f"{above}/" if above or path.startswith("/") else ".")
                    links[above] = None if resolved(location) == target else _links(location)
                known = links[above]
                if known is None or name in known:
                    yield path


def image_paths(sources: Iterable[str], *, standard_input: Iterable[str] | None = None) -> list[str]:
    """Return all paths of `Sources`."""
    return list(Sources(sources, standard_input=standard_input))


def _links(folder: Path) -> frozenset[str]:
    """Return the names of the links in a folder."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_symlink())
    except (OSError, ValueError):
        return frozenset()


def _identity(path: str | Path) -> _Identity | None:
    """Return device and inode of a file; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116 a million times
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _files_among(sources: Iterable[str]) -> list[str]:
    """Return the sources that are files: images and lists."""
    return [source for source in sources if source and is_file(source)]


def sample_images() -> list[str]:
    """Return the paths of three photographs of scikit-image: a cat, an astronaut and a motorbike.

    Raises
    ------
    MissingExtraError
        scikit-image is not installed, or came without them.
    """
    package = importlib.util.find_spec("skimage")
    folder = Path(package.origin).parent / "data" if package and package.origin else None
    paths = [folder / f"{name}.png" for name in ("chelsea", "astronaut", "motorcycle_left")] if folder else []
    if not (paths and all(is_file(path) for path in paths)):
        raise MissingExtraError("demo", needed_for="no SOURCE given; the set of sample photographs")
    return [str(path) for path in paths]


def _expanded(source: str) -> list[str] | None:
    """Return the paths of a source; None for lists, which are read during the iteration."""
    if source == "-" or (Path(source).suffix.lower() == ".txt" and is_file(source)):
        return None
    if source and is_folder(source):
        return _in_directory(Path(source))
    if not exists(source) and glob.has_magic(source):
        matches = sorted(p for p in glob.glob(source, recursive=True) if not is_folder(p))  # noqa: PTH207
        if not matches:
            raise OptionError(f"{source}: no file matches")
        return matches
    if not source or not exists(source):
        raise OptionError(f"{source or repr(source)}: {_missing(source)}")
    return [source]


def _list_file(source: str) -> Iterator[str]:
    try:
        with Path(source).open("rb") as lines:
            yield from _listed(lines, origin=source)
    except OSError as error:
        raise OptionError(f"{source}: cannot be read: {error.strerror or error}") from None


def _standard_input() -> Lines:
    """Return the lines of standard input, as bytes if possible: file names are bytes and need not match the stream's encoding."""
    return getattr(sys.stdin, "buffer", None) or sys.stdin or ()


def _missing(source: str) -> str:
    """Return the system's reason why a path cannot be used."""
    try:
        Path(source).stat()
    except OSError as error:
        if error.strerror and not isinstance(error, FileNotFoundError):
            return error.strerror
    except ValueError as error:
        return str(error)
    return "no such file or directory"


def _in_directory(path: Path) -> list[str]:
    try:
        images = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in IMAGE_EXTENSIONS and is_file(p))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from None
    if not images:
        raise OptionError(f"{path}: no images in this directory")
    return images


def _listed(lines: Lines, *, origin: str) -> Iterator[str]:
    """Yield the paths of a list; raise an `OptionError` if it is damaged or empty."""
    count = 0
    try:
        for number, raw in enumerate(_bounded(lines)):
            line = os.fsdecode(raw.removeprefix(codecs.BOM_UTF8) if number == 0 else raw) if isinstance(raw, bytes) else raw
            if "\0" in line or len(line) >= LONGEST_PATH:
                limit = f"NUL bytes or lines of {LONGEST_PATH} characters"
                raise OptionError(f"{origin}: has {limit}; expected a list of paths, one a line")
            if line.strip():
                count += 1
                yield line.strip("\r\n")
    except OSError as error:
        raise OptionError(f"{origin}: cannot be read: {error.strerror}") from None
    if not count:
        raise OptionError(f"{origin}: no paths in this list")


def _bounded(lines: Lines) -> Lines:
    """Return the lines of a stream, each cut to `LONGEST_PATH`."""
    if not isinstance(lines, IOBase):
        return lines
    return takewhile(len, (lines.readline(LONGEST_PATH) for _ in count()))
