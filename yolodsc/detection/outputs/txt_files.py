"""A YOLO label file for each image, with the score at the end of the line."""

from collections.abc import Callable
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.errors import ImageError
from yolodsc.files import write_bytes
from yolodsc.images import ImageArray


class TxtWriter:
    """Writes lines of ``class cx cy w h score``, relative to the image; an empty file if there are no detections."""

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self._names = OutputNames(folder, reads=reads)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One file."""
        del image
        rows = zip(detections.class_ids, detections.boxes_xywh_relative(), detections.scores, strict=True)
        lines = [f"{class_id} {' '.join(f'{v:.6f}' for v in box)} {score:.6f}\n" for class_id, box, score in rows]
        path = self._names.path(detections.path, suffix=".txt")
        write_bytes(path, "".join(lines).encode(), error=ImageError)

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Files are in place as soon as they are written."""
