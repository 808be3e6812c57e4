"""JSON Lines: one object a line for each image or frame."""

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from yolodsc.detection.detections import Detections
from yolodsc.errors import ImageError
from yolodsc.files import replacing
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json


class JsonlWriter:
    """Writes a line for each image or frame as soon as it is added.

    Parameters
    ----------
    out
        A path, which is replaced when the writer is closed; or a text stream, such as standard output, which stays open.
    """

    def __init__(self, out: str | Path | TextIO) -> None:
        self._stack = ExitStack()
        if isinstance(out, str | Path):
            self._name = str(out)
            self._file: IO[str] = self._stack.enter_context(replacing(out, error=ImageError, mode="w"))
        else:
            self._name, self._file = getattr(out, "name", "stream"), out

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One line, complete and flushed, so that a reader of the stream sees it at once."""
        del image
        line = dump_json(record(detections), file=self._name, error=ImageError)
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError:  # the file may end within a line: it goes, and the error names it
            self._stack.__exit__(*sys.exc_info())
            raise

    def close(self) -> None:
        """Finish the file; a stream stays open."""
        self._stack.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        with suppress(ImageError), self._stack:
            raise ImageError


def record(detections: Detections) -> dict[str, Any]:
    """The content of a line: ``frame`` and ``time_ms`` are null for images, boxes are left, top, right, bottom in pixels."""
    rows = zip(detections.class_ids, detections.scores, detections.boxes_xyxy, detections.track_fields(), strict=True)
    return {
        "source": detections.path or "",
        "frame": detections.frame,
        "time_ms": None if detections.time_ms is None else round(detections.time_ms, 3),
        "width": detections.width,
        "height": detections.height,
        "objects": [
            {
                "class_id": int(class_id),
                "name": detections.names[class_id],
                "score": round(float(score), 6),
                "box": [round(float(side), 2) for side in box],
                **track,
            }
            for class_id, score, box, track in rows
        ],
    }
