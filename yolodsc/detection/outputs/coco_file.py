"""COCO's results: a list of ``image_id category_id bbox score``, as pycocotools and COCO's server read it."""

from collections.abc import Sequence
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.text_output import JsonList
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json

_UNUSED = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Numbers up to 90 that name no category of COCO (``detector.c: coco_ids``)."""

COCO_CATEGORIES = tuple(number for number in range(1, 91) if number not in _UNUSED)
"""Category of each of the 80 classes of ``coco.names``."""


class CocoWriter(JsonList):
    """Writes one entry for each detection.

    ``image_id`` is the file's stem, as a number if it is one (``000000000139.jpg`` is 139). ``category_id`` counts the classes from
    1; the 80 classes of ``coco.names`` get COCO's own numbers. ``bbox`` is left, top, width and height in pixels.
    """

    def add(self, detections: Detections, image: ImageArray) -> None:
        """The entries of one image."""
        del image
        stem = Path(detections.path or "image").stem
        image_id = int(stem) if stem.isascii() and stem.isdecimal() and len(stem) <= 18 else stem
        categories = category_ids(detections.names)
        lines = []
        for class_id, box, score in zip(detections.class_ids, detections.boxes_xyxy, detections.scores, strict=True):
            left, top, right, bottom = (float(side) for side in box)
            sides = [round(side, 3) for side in (left, top, right - left, bottom - top)]
            entry = {"image_id": image_id, "category_id": categories[class_id], "bbox": sides, "score": round(float(score), 6)}
            lines.append(dump_json(entry, file=self._output.name, error=ImageError))
        self._append(lines)


def category_ids(names: Sequence[str]) -> Sequence[int]:
    """Return the category of each class."""
    if len(names) == len(COCO_CATEGORIES) and (names[0], names[-1]) == ("person", "toothbrush"):
        return COCO_CATEGORIES
    return range(1, len(names) + 1)
