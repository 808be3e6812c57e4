"""Names of files made from images: kept where possible, never an input's, never twice."""

from collections.abc import Callable
from pathlib import Path

from yolodsc import files
from yolodsc.errors import ImageError


class OutputNames:
    """Hands out paths in one folder.

    Parameters
    ----------
    folder
        Where the files go.
    reads
        Whether a file that is there already must not be written to; none is asked about twice.
    """

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self.folder = files.folder(folder, error=ImageError)
        self._reads = reads
        self._numbers: dict[str, int] = {}

    def path(self, source: str | None, *, suffix: str, addition: str = "") -> Path:
        """A path for what comes of ``source``: its own stem, then ``addition`` and ``suffix``; numbered where that is taken."""
        stem = f"{Path(source).stem if source else 'picture'}{addition}"
        first = f"{stem}{suffix}"
        number = self._numbers.get(first, 1)
        while True:
            name = first if number == 1 else f"{stem}_{number}{suffix}"
            number += 1
            self._numbers[first] = number
            if (name == first or name not in self._numbers) and not self._reads(self.folder / name):
                self._numbers.setdefault(name, 2)
                return self.folder / name
