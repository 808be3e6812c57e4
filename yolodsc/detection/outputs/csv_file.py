"""CSV with one line for each detection, in pixels."""

import csv
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.cells import text_cell
from yolodsc.errors import ImageError
from yolodsc.files import replacing
from yolodsc.images import ImageArray

COLUMNS = ("path", "class", "score", "xmin", "ymin", "xmax", "ymax")


class CsvWriter:
    """``path,class,score,xmin,ymin,xmax,ymax`` with a heading."""

    def __init__(self, path: str | Path) -> None:
        self._stack = ExitStack()
        self._rows = csv.writer(self._stack.enter_context(replacing(path, error=ImageError, mode="w")))
        self._rows.writerow(COLUMNS)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """A row for each detection."""
        del image
        rows = zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True)
        path = text_cell(detections.path or "")
        try:
            for name, score, box in rows:
                self._rows.writerow([path, text_cell(name), f"{score:.6f}", *(f"{side:.2f}" for side in box)])
        except OSError:  # the file may end within a row: it goes, and the error names it
            self._stack.__exit__(*sys.exc_info())
            raise

    def close(self) -> None:
        """Finish the file."""
        self._stack.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        with suppress(ImageError), self._stack:
            raise ImageError
