"""Images behind addresses: web servers, stores such as S3 and Google Cloud Storage, and members of zip and tar archives.

Addresses are those of fsspec: ``s3://bucket/dog.jpg``, ``gs://bucket/dog.jpg``, ``zip://dog.jpg::photos.zip``. Web addresses need
no library.
"""

import re
from functools import lru_cache
from pathlib import PurePosixPath
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from yolodsc.errors import ImageError, MissingExtraError, OptionError

MAX_BYTES = 2**28
"""Maximum bytes of an image that is downloaded."""

SECONDS = 30.0
"""How long a server may be silent."""

WEB = ("http://", "https://")

ARCHIVES = {".zip": "zip", ".tar": "tar", ".tgz": "tar"}
"""Protocols of archives by suffix; ``.tar.gz`` is known too."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.", re.DOTALL)

_MAGIC = re.compile(r"[*?\[]")

_archives = Lock()
"""Members of archives are read one at a time: their file systems share one open file."""


def is_address(source: str) -> bool:
    """Whether a source is an address rather than a path; addresses of video streams are some too."""
    return "://" in source and _ADDRESS.match(source) is not None


def is_image_address(source: str, extensions: frozenset[str]) -> bool:
    """Whether an address ends like an image file."""
    return is_address(source) and PurePosixPath(urlsplit(source.partition("::")[0]).path).suffix.lower() in extensions


def content_of(address: str) -> bytes:
    """Return the content of an address.

    Raises
    ------
    ImageError
        It does not exist, cannot be read, or is longer than `MAX_BYTES`.
    MissingExtraError
        fsspec, or its library for this kind of address, is not installed.
    """
    return _downloaded(address) if address.startswith(WEB) and "::" not in address else _read(address)


def addresses_of(source: str, extensions: frozenset[str]) -> list[str]:
    """Return the addresses that a source stands for: itself, the matches of a pattern, or the images of a directory or archive.

    Raises
    ------
    OptionError
        Nothing matches, or the source cannot be listed.
    """
    head, separator, rest = source.partition("::")
    pattern = head.partition("://")[2]
    is_pattern = bool(_MAGIC.search(pattern)) and not source.startswith(WEB)
    if not is_pattern and is_image_address(source, extensions):
        return [source]
    if source.startswith(WEB) and not separator:
        raise OptionError(f"{source}: no image by its name; expected the address of an image")
    try:
        system, path = _file_system(source)
        names = system.glob(path) if is_pattern else system.find(path) if separator else _children(system, path)
        found = sorted(name for name in names if PurePosixPath(name).suffix.lower() in extensions or is_pattern)
        addresses = [f"{system.unstrip_protocol(name)}{separator}{rest}" for name in found]
    except (ImageError, MissingExtraError) as error:
        raise OptionError(str(error)) from None
    except Exception as error:  # stores raise errors of any class
        raise OptionError(f"{source}: cannot be listed: {_reason(error)}") from None
    if not addresses:
        raise OptionError(f"{source}: {'no file matches' if is_pattern else 'no images in it'}")
    return addresses


def archive_address(path: str) -> str | None:
    """Return the address of all members of an archive on disk; None for other files."""
    name = path.lower()
    protocol = "tar" if name.endswith(".tar.gz") else ARCHIVES.get(PurePosixPath(name).suffix)
    return None if protocol is None else f"{protocol}://::{path}"


def bounded(content: bytes, name: str) -> bytes:
    """The content; an `ImageError` if it is longer than `MAX_BYTES`."""
    if len(content) > MAX_BYTES:
        raise ImageError(f"{name}: more than {MAX_BYTES} bytes; expected at most that")
    return content


def _children(system: Any, path: str) -> list[str]:
    """The files of a directory."""
    return [entry["name"] for entry in system.ls(path, detail=True) if entry["type"] == "file"]


def _read(address: str) -> bytes:
    try:
        system, path = _file_system(address)
        if "::" not in address:
            return bounded(_first_bytes(system, path), address)
        with _archives:
            return bounded(_first_bytes(system, path), address)
    except (ImageError, MissingExtraError):
        raise
    except FileNotFoundError:
        raise ImageError(f"{address}: no such file") from None
    except Exception as error:  # stores raise errors of any class
        raise ImageError(f"{address}: cannot be read: {_reason(error)}") from None


def _first_bytes(system: Any, path: str) -> bytes:
    with system.open(path, "rb") as file:
        content: bytes = file.read(MAX_BYTES + 1)
    return content


def _file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("remote", needed_for=address) from None
    head, separator, rest = address.partition("::")
    protocol, _, path = head.partition("://")
    if not separator:
        return fsspec.core.url_to_fs(address)
    return _container(protocol, rest), path


@lru_cache(maxsize=8)
def _container(protocol: str, rest: str) -> Any:
    """The file system of an archive, which reads its index once."""
    import fsspec

    return fsspec.core.url_to_fs(f"{protocol}://::{rest}")[0]


def _reason(error: Exception) -> str:
    """The first line of an exception."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _downloaded(address: str) -> bytes:
    """The content of a web address."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(address, headers={"User-Agent": "yolodsc"}), timeout=SECONDS) as response:
            return bounded(response.read(MAX_BYTES + 1), address)
    except HTTPError as error:
        error.close()
        raise ImageError(f"{address}: cannot be downloaded: {error}") from None
    except URLError as error:
        raise ImageError(f"{address}: cannot be downloaded: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{address}: cannot be downloaded: {error}") from None
