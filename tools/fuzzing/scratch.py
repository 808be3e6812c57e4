"""Files for readers that want a path."""

import tempfile
from pathlib import Path

_FOLDER = tempfile.TemporaryDirectory(prefix="yolodsc-fuzz-files-")


def folder(name: str) -> Path:
    """A folder that ends with the process."""
    path = Path(_FOLDER.name) / name
    path.mkdir(exist_ok=True)
    return path


def file(name: str, content: bytes | str) -> Path:
    """A file in it."""
    path = Path(_FOLDER.name) / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
