"""``SOURCE…`` on the command line: pictures, directories, globs, lists, standard input."""

import glob
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from io import TextIOBase
from pathlib import Path

from yolodsc.errors import MissingExtraError, OptionError

PICTURE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .ppm .pgm .pbm .pnm .gif .jp2 .tga .avif".split()
)
"""What counts as a picture inside a directory."""


LONGEST_PATH = 2**16
"""Characters of a line of a list; a longer one is no path, and is not read to its end."""


class Sources:
    """Paths of all images that the sources name, in order; those of a directory sorted.

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
        self._others = frozenset(Path(path).resolve() for path in (*others, *_files_among(sources)))
        self._names: dict[Path, frozenset[str]] = {}
        self.endless = "-" in sources

    def __iter__(self) -> Iterator[str]:
        for source, paths in self._parts:
            if source == "-":
                yield from _listed(sys.stdin if self._standard_input is None else self._standard_input, place="standard input")
            else:
                yield from _list_file(source) if paths is None else paths

    def count(self) -> int | None:
        """How many paths there are; None where standard input is yet to tell."""
        return None if self.endless else sum(1 for _ in self)

    def reads(self, path: Path) -> bool:
        """Whether a file is read in this run, standard input aside; only files in its folder are looked at closely."""
        return any(self._has(place) for place in {path.parent.resolve() / path.name, path.resolve()})

    def may_read(self, path: Path) -> bool:
        """Whether a file is read, or may yet be named by standard input: any that exists."""
        return (self.endless and path.exists()) or self.reads(path)

    def _has(self, path: Path) -> bool:
        if path in self._others:
            return True
        if path.parent not in self._names:
            self._names[path.parent] = frozenset(self._inside(path.parent))
        return path.name in self._names[path.parent]

    def _inside(self, folder: Path) -> Iterator[str]:
        """Names of the images in a folder: a million paths share few folders, and few are links."""
        folders: dict[str, Path] = {}
        for source, paths in self._parts:
            for path in () if source == "-" else _list_file(source) if paths is None else paths:
                above, name = os.path.split(path)
                if above not in folders:
                    folders[above] = Path(above).resolve()
                if folders[above] == folder:
                    yield name
                if os.path.islink(path) and (target := Path(path).resolve()).parent == folder:  # noqa: PTH114 a million times
                    yield target.name


def pictures(sources: Iterable[str], *, standard_input: Iterable[str] | None = None) -> list[str]:
    """All paths of `Sources`."""
    return list(Sources(sources, standard_input=standard_input))


def _files_among(sources: Iterable[str]) -> list[str]:
    """Those sources that are files themselves: images and lists."""
    return [source for source in sources if source and Path(source).is_file()]


def samples() -> list[str]:
    """Paths of three photographs that come with scikit-image: a cat, an astronaut, a motorbike.

    Raises
    ------
    MissingExtraError
        scikit-image is not installed, or came without them.
    """
    found = importlib.util.find_spec("skimage")
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    paths = [folder / f"{name}.png" for name in ("chelsea", "astronaut", "motorcycle_left")] if folder else []
    if not (paths and all(path.is_file() for path in paths)):
        raise MissingExtraError("demo", needed_for="no SOURCE given; the set of sample photographs")
    return [str(path) for path in paths]


def _expanded(source: str) -> list[str] | None:
    """Paths that a source stands for; None for lists, which are read when their turn comes."""
    path = Path(source)
    if source == "-" or (path.suffix.lower() == ".txt" and path.is_file()):
        return None
    if source and path.is_dir():
        return _in_directory(path)
    if not path.exists() and glob.has_magic(source):
        found = sorted(p for p in glob.glob(source, recursive=True) if not Path(p).is_dir())  # noqa: PTH207
        if not found:
            raise OptionError(f"{source}: no file matches")
        return found
    if not source or not path.exists():
        raise OptionError(f"{source or repr(source)}: no such file or directory")
    return [source]


def _list_file(source: str) -> Iterator[str]:
    try:
        with Path(source).open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            yield from _listed(lines, place=source)
    except OSError as error:
        raise OptionError(f"{source}: cannot be read: {error.strerror or error}") from None


def _in_directory(path: Path) -> list[str]:
    found = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in PICTURE_ENDINGS and p.is_file())
    if not found:
        raise OptionError(f"{path}: no pictures in this directory")
    return found


def _listed(lines: Iterable[str], *, place: str) -> Iterator[str]:
    found = 0
    for line in _bounded(lines):
        if "\0" in line or len(line) >= LONGEST_PATH:
            raise OptionError(f"{place}: has NUL bytes or lines of {LONGEST_PATH} characters; expected a list of paths, one a line")
        if line.strip():
            found += 1
            yield line.strip("\r\n")
    if not found:
        raise OptionError(f"{place}: no paths in this list")


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a stream, none longer than `LONGEST_PATH`."""
    return iter(lambda: lines.readline(LONGEST_PATH), "") if isinstance(lines, TextIOBase) else iter(lines)
