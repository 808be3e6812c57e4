"""Sources of images and videos: files, directories, glob patterns, lists of paths and standard input."""

import glob
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from yolodsc.detection.addresses import addresses_of, archive_address, is_address, is_image_address
from yolodsc.detection.source_lists import listed_paths, standard_lines
from yolodsc.detection.video.kinds import VIDEO_EXTENSIONS, is_clip, is_no_file
from yolodsc.errors import MissingExtraError, OptionError
from yolodsc.files import exists, is_file, is_folder, resolved

IMAGE_EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .ppm .pgm .pbm .pnm .gif .jp2 .tga .avif".split()
)
"""Extensions of the files that a directory contributes."""


_Identity = tuple[int, int]


class Sources:
    """Paths of all images of the sources, in order; those of a directory are sorted.

    Directories and patterns are expanded at once, lists are read again by each iteration, standard input as the iteration goes on:
    a list of any length takes no memory.

    Parameters
    ----------
    sources
        An image, a directory, a pattern (``*``, ``?``, ``**``), a zip or tar archive, an address or a pattern of addresses that
        fsspec knows (``s3://bucket/*.jpg``), a ``.txt`` file of paths, or ``-`` for paths on standard input.
    others
        Further files that the run reads, for `reads`.
    clips
        Accept videos, cameras and URLs too; directories contribute their videos.

    Raises
    ------
    OptionError
        No source names anything; a list that names nothing raises it when its turn comes.

    Attributes
    ----------
    missing
        Errors of the sources that name nothing, if others name something.
    """

    def __init__(
        self,
        sources: Iterable[str],
        *,
        others: Iterable[str | Path] = (),
        standard_input: Iterable[str] | None = None,
        clips: bool = False,
    ) -> None:
        sources = tuple(sources)
        self._standard_input = standard_input
        extensions = IMAGE_EXTENSIONS | VIDEO_EXTENSIONS if clips else IMAGE_EXTENSIONS
        self._parts, self.missing = _all_expanded(sources, lambda source: _paths_of(source, extensions, clips=clips))
        self._others = (*others, *_files_among(sources))
        self._found: dict[Path, frozenset[_Identity]] = {}
        self.endless = "-" in sources

    def __iter__(self) -> Iterator[str]:
        for source, paths in self._parts:
            if source == "-":
                yield from listed_paths(
                    standard_lines() if self._standard_input is None else self._standard_input, origin="standard input"
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

    def has_clips(self, *, except_for: Callable[[str], bool] = lambda source: False) -> bool:
        """Whether a source is a video, a camera or a URL that is no exception; standard input is not considered."""
        return any(is_clip(path) and not except_for(path) for path in self._listed())

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
        for path in self._listed():
            above, _, name = path.rpartition("/")
            if above not in links:
                location = Path(f"{above}/" if above or path.startswith("/") else ".")
                links[above] = None if resolved(location) == target else _links(location)
            known = links[above]
            if known is None or name in known:
                yield path

    def _listed(self) -> Iterator[str]:
        """Yield all paths but those of standard input."""
        for source, paths in self._parts:
            if source != "-":
                yield from _list_file(source) if paths is None else paths


def image_paths(sources: Iterable[str], *, standard_input: Iterable[str] | None = None) -> list[str]:
    """Return all paths of `Sources`; an `OptionError` if one of the sources names nothing."""
    found = Sources(sources, standard_input=standard_input)
    if found.missing:
        raise found.missing[0]
    return list(found)


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


def _all_expanded(
    sources: Iterable[str], expanded: Callable[[str], list[str] | None]
) -> tuple[list[tuple[str, list[str] | None]], tuple[OptionError, ...]]:
    """Return each source with its paths, and the errors of those that name nothing; raise the first if all of them do."""
    parts, missing = [], []
    for source in sources:
        try:
            parts.append((source, expanded(source)))
        except OptionError as error:
            missing.append(error)
    if missing and not parts:
        raise missing[0]
    return parts, tuple(missing)


def _paths_of(source: str, extensions: frozenset[str], *, clips: bool) -> list[str] | None:
    """Return the paths of a source: a camera or a URL stands for itself, other addresses for what they name."""
    if clips and is_no_file(source):
        return [source]
    if is_address(source) and not exists(source):
        return addresses_of(source, IMAGE_EXTENSIONS)
    return _expanded(source, extensions)


def _expanded(source: str, extensions: frozenset[str]) -> list[str] | None:
    """Return the paths of a source; None for lists, which are read during the iteration."""
    if source == "-" or (Path(source).suffix.lower() == ".txt" and is_file(source)):
        return None
    if source and is_folder(source):
        return _in_directory(Path(source), extensions)
    if not exists(source) and glob.has_magic(source):
        matches = sorted(p for p in glob.glob(source, recursive=True) if not is_folder(p))  # noqa: PTH207
        if not matches:
            raise OptionError(f"{source}: no file matches")
        return matches
    if not source or not exists(source):
        raise OptionError(f"{source or repr(source)}: {_missing(source)}")
    archive = archive_address(source) if is_file(source) else None
    return [source] if archive is None else addresses_of(archive, IMAGE_EXTENSIONS)


def names_image(source: str) -> bool:
    """Whether a source is an address that ends like an image, which is read as one image where no video is expected."""
    return is_image_address(source, IMAGE_EXTENSIONS)


def _list_file(source: str) -> Iterator[str]:
    try:
        with Path(source).open("rb") as lines:
            yield from listed_paths(lines, origin=source)
    except OSError as error:
        raise OptionError(f"{source}: cannot be read: {error.strerror or error}") from None


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


def _in_directory(path: Path, extensions: frozenset[str]) -> list[str]:
    try:
        images = sorted(str(p) for p in path.iterdir() if p.suffix.lower() in extensions and is_file(p))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from None
    if not images:
        kinds = "images or videos" if extensions > IMAGE_EXTENSIONS else "images"
        raise OptionError(f"{path}: no {kinds} in this directory")
    return images
