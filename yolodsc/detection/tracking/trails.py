"""Trails: the last positions of each track."""

from collections import deque

from yolodsc.detection.detections import Detections
from yolodsc.detection.tracking.counts import Point, track_centres


class Trails:
    """Keeps the centres of each track in the last frames; tracks that have none are forgotten.

    Parameters
    ----------
    length
        Number of frames.
    """

    def __init__(self, length: int) -> None:
        self._length, self._frame = length, 0
        self._trails: dict[int, deque[tuple[int, Point]]] = {}

    def update(self, detections: Detections) -> dict[int, list[Point]]:
        """Add a frame and return the trails by track, oldest position first."""
        self._frame += 1
        for track, _, centre in track_centres(detections):
            self._trails.setdefault(track, deque()).append((self._frame, centre))
        for track, trail in list(self._trails.items()):
            while trail and trail[0][0] <= self._frame - self._length:
                trail.popleft()
            if not trail:
                del self._trails[track]
        return {track: [centre for _, centre in trail] for track, trail in self._trails.items()}
