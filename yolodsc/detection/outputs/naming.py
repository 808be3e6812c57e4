"""Names of output files: those of the images if possible, never that of an input, never twice."""

from collections.abc import Callable
from pathlib import Path

from yolodsc import files
from yolodsc.detection.detections import Detections
from yolodsc.detection.video.kinds import file_name
from yolodsc.errors import ImageError


class OutputNames:
    """Hands out paths in one folder.

    Parameters
    ----------
    folder
        Where the files go.
    reads
        Whether an existing file must not be overwritten; called at most once a file.
    """

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self.folder = files.folder(folder, error=ImageError)
        self._reads = reads
        self._numbers: dict[str, int] = {}

    def path(self, source: str | None, *, suffix: str, addition: str = "") -> Path:
        """Return a path for an output of ``source``: its stem, ``addition`` and ``suffix``, numbered if the name is taken."""
        stem = f"{Path(file_name(source)).stem if source else 'picture'}{addition}"
        first = f"{stem}{suffix}"
        number = self._numbers.get(first, 1)
        while True:
            name = first if number == 1 else f"{stem}_{number}{suffix}"
            number += 1
            self._numbers[first] = number
            if (name == first or name not in self._numbers) and not self._reads(self.folder / name):
                self._numbers.setdefault(name, 2)
                return self.folder / name

    def frame_path(self, detections: Detections, *, suffix: str, addition: str = "") -> Path:
        """Return a path for an output of an image, or of a frame of a video, whose number follows the stem."""
        frame = "" if detections.frame is None else f"_{detections.frame:06d}"
        return self.path(detections.path, suffix=suffix, addition=frame + addition)
