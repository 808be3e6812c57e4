"""Frames with boxes, trails and counts drawn on them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolodsc.detection.detections import Detections
from yolodsc.detection.tracking.counts import LineCounter, Point
from yolodsc.detection.tracking.trails import Trails
from yolodsc.images import ImageArray, colour_of, draw_boxes, exchanged, line_width

_LINE = (255, 255, 255)
_OUTLINE = (0, 0, 0)


class Overlay:
    """Draws detections on frames; colours stand for tracks if there are any, else for classes.

    Parameters
    ----------
    trails
        Number of frames through which the path of a track is drawn.
    line
        A line with its counts.
    """

    def __init__(self, *, trails: int = 0, line: LineCounter | None = None) -> None:
        self._trails = Trails(trails) if trails > 0 else None
        self._line = line

    def draw(self, image: ImageArray, detections: Detections) -> NDArray[np.uint8]:
        """Return a copy of a frame (H, W, 3) RGB with the detections on it, in BGR as OpenCV's outputs take it."""
        import cv2

        if image.shape[2] == 1:
            frame = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
        else:
            frame = np.empty(image.shape, np.uint8)
            exchanged(image, frame)
        width = line_width(frame)
        if self._trails is not None:
            for track, trail in self._trails.update(detections).items():
                _polyline(frame, trail, colour=colour_of(track), width=width)
        if self._line is not None:
            ends = (self._line.line.start, self._line.line.end)
            _polyline(frame, ends, colour=_OUTLINE, width=width + 2)
            _polyline(frame, ends, colour=_LINE, width=width)
            _draw_counts(frame, self._line, detections.names)
        draw_boxes(frame[..., ::-1], detections.boxes_xyxy, labels=detections.labels(), class_ids=_colour_ids(detections))
        return frame


def _colour_ids(detections: Detections) -> NDArray[np.int64]:
    if detections.track_ids is None:
        return detections.class_ids
    return np.where(detections.track_ids >= 0, detections.track_ids, detections.class_ids)


def _polyline(frame: NDArray[np.uint8], points: Sequence[Point], *, colour: tuple[int, int, int], width: int) -> None:
    import cv2

    rounded = np.clip(np.array(points), -1e6, 1e6).round().astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(frame, [rounded], isClosed=False, color=colour[::-1], thickness=width, lineType=cv2.LINE_AA)


def _draw_counts(frame: NDArray[np.uint8], counter: LineCounter, names: tuple[str, ...]) -> None:
    """Write the counts at the start of the line: to its right side, and to its left side."""
    texts = [f"right: {counted(counter.to_right, names)}", f"left: {counted(counter.to_left, names)}"]
    boxes = np.array([[*counter.line.start] * 2] * 2, np.float32)
    draw_boxes(frame[..., ::-1], boxes, labels=texts, class_ids=np.array([1, 4]))


def counted(counts: Counter[int], names: tuple[str, ...]) -> str:
    """Return counts by class as text, the largest first: ``7 car, 1 bus``."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count} {names[class_id]}" for class_id, count in ordered) or "0"
