"""JSON Lines: one object a line for each image or frame."""

from typing import Any

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.text_output import Target, TextOutput
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json


class JsonlWriter:
    """Writes a line for each image or frame as soon as it is added.

    Parameters
    ----------
    target
        A path, which is replaced when the writer is closed; or a text stream, such as standard output, which stays open.
    """

    def __init__(self, target: Target) -> None:
        self._output = TextOutput(target)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One line; a reader of a stream sees it at once."""
        del image
        self._output.write(dump_json(record(detections), file=self._output.name, error=ImageError) + "\n")

    def close(self) -> None:
        """Finish the file; a stream stays open."""
        self._output.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        self._output.abandon()


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
