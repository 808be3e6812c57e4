"""CSV with one line for each detection, in pixels."""

import csv

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.cells import text_cell
from yolodsc.detection.outputs.text_output import Target, TextOutput
from yolodsc.images import ImageArray

COLUMNS = ("path", "class", "score", "xmin", "ymin", "xmax", "ymax")


class CsvWriter:
    """``path,class,score,xmin,ymin,xmax,ymax`` with a heading.

    Parameters
    ----------
    target
        The file, or a stream.
    frames, tracks
        Add the columns ``frame`` and ``track_id``, which stay empty for images and for detections without a track. Without the
        column ``frame``, the number of a frame follows the path: ``clip.mp4#17``.
    """

    def __init__(self, target: Target, *, frames: bool = False, tracks: bool = False) -> None:
        self._frames, self._tracks = frames, tracks
        self._output = TextOutput(target)
        self._rows = csv.writer(self._output)
        self._rows.writerow((*COLUMNS, *["frame"] * frames, *["track_id"] * tracks))

    def add(self, detections: Detections, image: ImageArray) -> None:
        """A row for each detection."""
        del image
        frame = "" if detections.frame is None else str(detections.frame)
        path = text_cell((detections.path or "") + (f"#{frame}" if frame and not self._frames else ""))
        tracks = detections.track_ids if detections.track_ids is not None else [-1] * len(detections)
        rows = zip(detections.class_names(), detections.scores, detections.boxes_xyxy, tracks, strict=True)
        for name, score, box, track in rows:
            more = [*[frame] * self._frames, *["" if track < 0 else str(track)] * self._tracks]
            self._rows.writerow([path, text_cell(name), f"{score:.6f}", *(f"{side:.2f}" for side in box), *more])

    def close(self) -> None:
        """Finish the file."""
        self._output.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        self._output.abandon()
