"""A YOLO label file for each image, with the score at the end of the line."""

from collections.abc import Callable
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.errors import ImageError
from yolodsc.files import write_bytes
from yolodsc.images import ImageArray


class TxtWriter:
    """Writes lines of ``class cx cy w h score``, relative to the image; an empty file if there are no detections.

    With tracking, the number of the track ends the line, -1 for a detection without one. Each frame of a video has its own file.
    """

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self._names = OutputNames(folder, reads=reads)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One file."""
        del image
        tracks = [""] * len(detections) if detections.track_ids is None else [f" {number}" for number in detections.track_ids]
        rows = zip(detections.class_ids, detections.boxes_xywh_relative(), detections.scores, tracks, strict=True)
        lines = [f"{class_id} {' '.join(f'{v:.6f}' for v in box)} {score:.6f}{track}\n" for class_id, box, score, track in rows]
        path = self._names.frame_path(detections, suffix=".txt")
        write_bytes(path, "".join(lines).encode(), error=ImageError)

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Do nothing: each file is complete as soon as it is written."""
