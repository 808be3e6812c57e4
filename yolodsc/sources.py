"""``SOURCE…`` on the command line: pictures, directories, globs, lists, standard input."""

import codecs
import glob
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from yolodsc.errors import MissingExtraError, OptionError
from yolodsc.files import exists, is_file, is_folder

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
    return [source for source in sources if source and is_file(source)]


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
    if not (paths and all(is_file(path) for path in paths)):
        raise MissingExtraError("demo", needed_for="no SOURCE given; the set of sample photographs")
    return [str(path) for path in paths]


def _expanded(source: str, standard_input: Iterable[str] | None) -> Iterator[str]:
    if source == "-":
        yield from _listed(_standard_input() if standard_input is None else standard_input, place="standard input")
    elif source and is_folder(source):
        yield from _in_directory(Path(source))
    elif Path(source).suffix.lower() == ".txt" and is_file(source):
        yield from _listed(_list_file(Path(source)), place=source)
    elif not exists(source) and glob.has_magic(source):
        found = sorted(p for p in glob.glob(source, recursive=True) if not is_folder(p))  # noqa: PTH207
        if not found:
            raise OptionError(f"{source}: no file matches")
        yield from found
    elif not source or not exists(source):
        raise OptionError(f"{source or repr(source)}: {_missing(source)}")
    else:
        yield source


def _missing(source: str) -> str:
    """Why there is nothing, as the system says it."""
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
        found = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in PICTURE_ENDINGS and is_file(p))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from None
    if not found:
        raise OptionError(f"{path}: no pictures in this directory")
    return found


def _list_file(path: Path) -> list[str]:
    try:
        return _names(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from None


def _standard_input() -> Iterable[str]:
    """Its lines; as bytes where it has them, because file names are bytes whatever characters the stream is said to have."""
    binary = getattr(sys.stdin, "buffer", None)
    try:
        return (sys.stdin or ()) if binary is None else _names(binary.read())
    except OSError as error:
        raise OptionError(f"standard input: cannot be read: {error.strerror}") from None


def _names(content: bytes) -> list[str]:
    return [os.fsdecode(line) for line in content.splitlines()]


def _listed(lines: Iterable[str], *, place: str) -> list[str]:
    found = [line.strip("\r\n") for line in lines if line.strip()]
    if any("\0" in line for line in found):
        raise OptionError(f"{place}: has NUL bytes; wanted a list of paths, one a line")
    if not found:
        raise OptionError(f"{place}: no paths in this list")
    return found
