"""One image for each detection."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.images import ImageArray, write_image


class CropWriter:
    """``dog_1_bicycle.jpg``: stem, rank by score, class; boxes are clipped to the image.

    ``clip_000017_1_car_id3.jpg`` is a crop of frame 17 of a video, on track 3.
    """

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self._names = OutputNames(folder, reads=reads)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """Write one file for each detection that has at least one pixel inside the image."""
        tracks = detections.track_ids if detections.track_ids is not None else [-1] * len(detections)
        rows = zip(detections.class_names(), detections.boxes_xyxy, tracks, strict=True)
        for rank, (name, box, track) in enumerate(rows, 1):
            if not np.isfinite(box).all():
                continue
            left, top, right, bottom = (max(0, round(float(side))) for side in box)
            crop = image[top:bottom, left:right]
            if crop.size:
                addition = f"_{rank}_" + re.sub(r"[^\w.-]+", "-", name) + (f"_id{track}" if track >= 0 else "")
                write_image(self._names.frame_path(detections, suffix=".jpg", addition=addition), crop)

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Do nothing: each file is complete as soon as it is written."""
