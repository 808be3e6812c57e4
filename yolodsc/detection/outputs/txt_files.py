"""A YOLO label file for each image, with the score at the end of the line unless it is left out."""

from collections.abc import Callable
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.detection.outputs.new_files import NewFiles
from yolodsc.images import ImageArray


class TxtWriter:
    """Writes lines of ``class cx cy w h score``, relative to the image; an empty file if there are no detections.

    With tracking, the number of the track ends the line, -1 for a detection without one. Each frame of a video has its own file.

    Parameters
    ----------
    scores
        Write the scores; without them the files are labels to train on.
    overwrite
        Replace existing files; otherwise the first one is an `OptionError`.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        reads: Callable[[Path], bool] = lambda _: False,
        scores: bool = True,
        overwrite: bool = False,
    ) -> None:
        self._names = OutputNames(folder, reads=reads)
        self._files = NewFiles(overwrite=overwrite)
        self._scores = scores

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One file."""
        del image
        tracks = [""] * len(detections) if detections.track_ids is None else [f" {number}" for number in detections.track_ids]
        rows = zip(detections.class_ids, detections.boxes_xywh_relative(), detections.scores, tracks, strict=True)
        lines = [
            f"{class_id} {' '.join(f'{v:.6f}' for v in box)}{f' {score:.6f}' if self._scores else ''}{track}\n"
            for class_id, box, score, track in rows
        ]
        self._files.write(self._names.frame_path(detections, suffix=".txt"), "".join(lines))

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Do nothing: each file is complete as soon as it is written."""
