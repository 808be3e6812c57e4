"""Detections without ground truth as a page: a writer like those of the other outputs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.detection import Detections
from yolodsc.errors import DatasetError
from yolodsc.evaluation.report.contents import detections_page
from yolodsc.evaluation.report.gallery import PER_IMAGE
from yolodsc.evaluation.report.page import write_page
from yolodsc.evaluation.report.thumbnails import thumbnail_of_array
from yolodsc.files import folder as make_folder

MAX_PAGE_IMAGES = 1000
"""Images of a page; of further ones only the number is shown."""


class ReportWriter:
    """Collects small copies of the images with their detections; `close` writes ``index.html``."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = make_folder(folder, error=DatasetError)
        self._images: list[dict[str, Any]] = []
        self._names: tuple[str, ...] = ()
        self._count = 0

    def add(self, detections: Detections, image: NDArray[np.uint8]) -> None:
        """One image (H, W, 1 or 3)."""
        self._count += 1
        self._names = detections.names
        if self._count > MAX_PAGE_IMAGES:
            return
        size = np.array([detections.width, detections.height] * 2, np.float64)
        boxes = np.clip(detections.boxes_xyxy[:PER_IMAGE].astype(np.float64) / size, 0.0, 1.0)  # (N, 4)
        found = zip(detections.class_ids, detections.scores, boxes, strict=False)
        self._images.append(
            {
                "id": Path(detections.path or f"image {self._count}").name,
                "width": detections.width,
                "height": detections.height,
                "src": thumbnail_of_array(image),
                "detections": [
                    {
                        "class": int(class_id),
                        "score": round(float(score), 4),
                        "box": [round(float(side), 4) for side in (*box[:2], *(box[2:] - box[:2]))],
                        "kind": "",
                    }
                    for class_id, score, box in found
                ],
            }
        )

    def close(self) -> None:
        """Write the page."""
        write_page(self.folder, detections_page(self._names, self._images, of=self._count))

    def abandon(self) -> None:
        """Write nothing."""
        self._images = []
