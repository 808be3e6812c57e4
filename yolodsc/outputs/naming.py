"""Names of files made from pictures: kept where possible, never an input's, never twice."""

from collections.abc import Iterable
from pathlib import Path

from yolodsc import files
from yolodsc.errors import ImageError
from yolodsc.files import resolved


class OutputNames:
    """Hands out paths in one folder.

    Parameters
    ----------
    folder
        Where the files go.
    inputs
        Paths that must not be written to.
    """

    def __init__(self, folder: str | Path, *, inputs: Iterable[str] = ()) -> None:
        self.folder = files.folder(folder, error=ImageError)
        self._taken = {str(resolved(path)) for path in inputs}

    def path(self, source: str | None, *, suffix: str, addition: str = "") -> Path:
        """A path for what comes of ``source``: its own stem, then ``addition`` and ``suffix``; numbered where that is taken."""
        stem = f"{Path(source).stem if source else 'picture'}{addition}"
        number = 1
        while True:
            path = self.folder / (f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}")
            if str(resolved(path)) not in self._taken:
                self._taken.add(str(resolved(path)))
                return path
            number += 1
