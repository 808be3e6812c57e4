"""``SOURCE…`` on the command line: pictures, directories, globs, lists, standard input."""

import glob
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from yolodsc.errors import MissingExtraError, OptionError

PICTURE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .ppm .pgm .pbm .pnm .gif .jp2 .tga .avif".split()
)
"""What counts as a picture inside a directory."""


def pictures(sources: Iterable[str], *, standard_input: Iterable[str] | None = None) -> list[str]:
    """Paths of all pictures that the sources name, in order; those of a directory sorted.

    Parameters
    ----------
    sources
        A picture, a directory, a pattern (``*``, ``?``, ``**``), a ``.txt`` file of paths, or ``-`` for paths on standard input.

    Raises
    ------
    OptionError
        A source names nothing.
    """
    return [path for source in sources for path in _expanded(source, standard_input)]


def files_among(sources: Iterable[str]) -> list[str]:
    """Those sources that are files themselves: pictures and lists."""
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


def _expanded(source: str, standard_input: Iterable[str] | None) -> Iterator[str]:
    path = Path(source)
    if source == "-":
        yield from _listed(sys.stdin if standard_input is None else standard_input, place="standard input")
    elif source and path.is_dir():
        yield from _in_directory(path)
    elif path.suffix.lower() == ".txt" and path.is_file():
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            yield from _listed(lines, place=source)
    elif not path.exists() and glob.has_magic(source):
        found = sorted(p for p in glob.glob(source, recursive=True) if not Path(p).is_dir())  # noqa: PTH207
        if not found:
            raise OptionError(f"{source}: no file matches")
        yield from found
    elif not source or not path.exists():
        raise OptionError(f"{source or repr(source)}: no such file or directory")
    else:
        yield source


def _in_directory(path: Path) -> list[str]:
    found = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in PICTURE_ENDINGS and p.is_file())
    if not found:
        raise OptionError(f"{path}: no pictures in this directory")
    return found


def _listed(lines: Iterable[str], *, place: str) -> list[str]:
    found = [line.strip("\r\n") for line in lines if line.strip()]
    if any("\0" in line for line in found):
        raise OptionError(f"{place}: has NUL bytes; wanted a list of paths, one a line")
    if not found:
        raise OptionError(f"{place}: no paths in this list")
    return found
