"""Counts of tracks by class, and of tracks that cross a line."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yolodsc.detection.detections import Detections
from yolodsc.errors import OptionError

Point = tuple[float, float]

_REMEMBERED = 1024
"""Tracks whose last position is kept."""


def track_centres(detections: Detections) -> Iterator[tuple[int, int, Point]]:
    """Yield track, class and centre of each tracked box, the best class only."""
    seen: set[int] = set()
    tracks = detections.track_ids if detections.track_ids is not None else ()
    for track, class_id, box in zip(tracks, detections.class_ids, detections.boxes_xyxy, strict=False):
        if track >= 0 and int(track) not in seen:
            seen.add(int(track))
            yield int(track), int(class_id), (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)


class TrackCounter:
    """Counts the tracks of each class; a track has the class that most of its frames report."""

    def __init__(self) -> None:
        self._frames: defaultdict[int, Counter[int]] = defaultdict(Counter)

    def update(self, detections: Detections) -> None:
        """Add a frame."""
        for track, class_id, _ in track_centres(detections):
            self._frames[track][class_id] += 1

    def counts(self) -> Counter[int]:
        """Return the number of tracks by class."""
        return Counter(frames.most_common(1)[0][0] for frames in self._frames.values())


@dataclass(frozen=True, slots=True)
class CountLine:
    """A line from ``start`` to ``end``, in pixels."""

    start: Point
    end: Point

    @classmethod
    def parsed(cls, text: str) -> "CountLine":
        """Read ``x0,y0,x1,y1``.

        Raises
        ------
        OptionError
            The text is not four numbers, or the line has no length.
        """
        try:
            x0, y0, x1, y1 = (float(part) for part in text.split(","))
        except ValueError:
            raise OptionError(f"count_line={text}: expected x0,y0,x1,y1 in pixels", parameter="count_line") from None
        if not all(abs(value) < 1e9 for value in (x0, y0, x1, y1)) or (x0, y0) == (x1, y1):
            raise OptionError(f"count_line={text}: expected two different points", parameter="count_line")
        return cls((x0, y0), (x1, y1))

    def side(self, point: Point) -> float:
        """Positive on the right of the line as seen from its start (the y axis points down), negative on the left."""
        (x0, y0), (x1, y1) = self.start, self.end
        return (x1 - x0) * (point[1] - y0) - (y1 - y0) * (point[0] - x0)


class LineCounter:
    """Counts tracks whose centre crosses a line, once in each direction.

    Attributes
    ----------
    to_right, to_left
        Tracks by class that crossed to the right or to the left side, as seen from the line's start to its end.
    """

    def __init__(self, line: CountLine) -> None:
        self.line = line
        self.to_right: Counter[int] = Counter()
        self.to_left: Counter[int] = Counter()
        self._centres: OrderedDict[int, Point] = OrderedDict()
        self._crossed: OrderedDict[tuple[int, bool], None] = OrderedDict()

    def update(self, detections: Detections) -> None:
        """Add a frame."""
        for track, class_id, centre in track_centres(detections):
            before = self._centres.pop(track, centre)
            self._centres[track] = centre
            if not self._crosses(before, centre):
                continue
            right = self.line.side(centre) > 0
            if (track, right) not in self._crossed:
                self._crossed[track, right] = None
                (self.to_right if right else self.to_left)[class_id] += 1
        _forget(self._centres, limit=_REMEMBERED)
        _forget(self._crossed, limit=2 * _REMEMBERED)

    def _crosses(self, before: Point, after: Point) -> bool:
        """Whether a move crosses the line between its ends; a centre on the line belongs to its left side."""
        if (self.line.side(before) > 0) == (self.line.side(after) > 0):
            return False
        move = CountLine(before, after)
        return (move.side(self.line.start) > 0) != (move.side(self.line.end) > 0)


def _forget(remembered: OrderedDict[Any, Any], *, limit: int) -> None:
    """Drop the oldest entries beyond a limit."""
    while len(remembered) > limit:
        remembered.popitem(last=False)
