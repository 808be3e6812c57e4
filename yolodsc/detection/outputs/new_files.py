"""Files that take the place of others only if the user says so: labels may be ground truth."""

from collections.abc import Iterable
from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.files import exists, is_folder, write_bytes


class NewFiles:
    """Writes files and refuses to replace existing ones.

    Parameters
    ----------
    overwrite
        Replace existing files.
    """

    def __init__(self, *, overwrite: bool) -> None:
        self._overwrite = overwrite

    def write(self, path: Path, text: str) -> None:
        """Write a file; an `OptionError` if it exists."""
        if not self._overwrite and exists(path):
            raise exists_already(path)
        write_bytes(path, text.encode(errors="surrogateescape"), error=OptionError)


def exists_already(path: Path) -> OptionError:
    """The error for a file that would be replaced."""
    return OptionError(f"{path}: is there already; expected another directory, or overwrite=True", parameter="overwrite")


def ensure_none_exists(folder: Path, sources: Iterable[str], *, suffix: str) -> None:
    """Raise an `OptionError` if a folder has a file that the labels of a source would replace, before any work begins."""
    there = {path.name for path in folder.glob(f"*{suffix}")} if is_folder(folder) else set()
    taken = (f"{Path(source).stem}{suffix}" for source in (sources if there else ()))
    first = next((name for name in taken if name in there), None)
    if first is not None:
        raise exists_already(folder / first)
