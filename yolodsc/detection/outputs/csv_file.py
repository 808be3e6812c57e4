"""CSV with one line for each detection, in pixels."""

import csv

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.cells import text_cell
from yolodsc.detection.outputs.text_output import Target, TextOutput
from yolodsc.images import ImageArray

COLUMNS = ("path", "class", "score", "xmin", "ymin", "xmax", "ymax")


class CsvWriter:
    """``path,class,score,xmin,ymin,xmax,ymax`` with a heading."""

    def __init__(self, target: Target) -> None:
        self._output = TextOutput(target)
        self._rows = csv.writer(self._output)
        self._rows.writerow(COLUMNS)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """A row for each detection."""
        del image
        rows = zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True)
        path = text_cell(detections.path or "")
        for name, score, box in rows:
            self._rows.writerow([path, text_cell(name), f"{score:.6f}", *(f"{side:.2f}" for side in box)])

    def close(self) -> None:
        """Finish the file."""
        self._output.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        self._output.abandon()
