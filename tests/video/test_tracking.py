"""Numbers of objects, their counts and their trails."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.video.support import detector, write_clip
from yolodsc.detection.detections import Detections
from yolodsc.detection.tracking.counts import CountLine, LineCounter, TrackCounter
from yolodsc.detection.tracking.tracker import Tracker, low_threshold
from yolodsc.detection.tracking.trails import Trails
from yolodsc.errors import MissingExtraError, OptionError

needs_library = pytest.mark.skipif(importlib.util.find_spec("trackers") is None, reason="the extra track is not installed")

NAMES = ("car", "bus")


def found(*rows: tuple[int, float, int], frame: int = 1, tracks: list[int] | None = None, y: float = 40) -> Detections:
    """Boxes of 20x20 pixels, given as (left, score, class)."""
    boxes = np.array([[left, y, left + 20, y + 20] for left, _, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score, _ in rows], np.float32)
    return Detections(
        boxes,
        scores,
        scores,
        np.array([class_id for _, _, class_id in rows], np.int64),
        NAMES,
        200,
        100,
        track_ids=None if tracks is None else np.array(tracks),
        frame=frame,
        time_ms=100.0 * (frame - 1),
    )


@needs_library
def test_objects_keep_their_numbers() -> None:
    """From the second frame on, also where two cross the frame in different directions and the order of rows changes."""
    tracker = Tracker(thresh=0.25, fps=10)

    seen = []
    for frame in range(1, 12):
        to_right, to_left = (5 + 4 * frame, 0.9, 0), (160 - 4 * frame, 0.8, 0)
        rows = (to_right, to_left) if frame % 2 else (to_left, to_right)
        tracked = tracker.update(found(*rows, frame=frame))
        seen.append(
            {
                round(float(box[0]) - 5) == 4 * frame: int(number)
                for box, number in zip(tracked.boxes_xyxy, tracked.track_ids, strict=True)
            }
        )

    assert seen[0] == {True: -1, False: -1}
    assert set(seen[1].values()) == {1, 2}
    assert all(one == seen[1] for one in seen[1:])


@needs_library
def test_low_scores_continue_tracks_and_begin_none() -> None:
    """The second association of ByteTrack: such rows are kept only where they belong to a track."""
    tracker = Tracker(thresh=0.25, fps=10)

    kept = []
    for frame, score in enumerate((0.9, 0.9, 0.15, 0.12, 0.9), 1):
        tracked = tracker.update(found((20 + frame, score, 0), (120, 0.2, 1), frame=frame))
        kept.append([(int(class_id), int(number)) for class_id, number in zip(tracked.class_ids, tracked.track_ids, strict=True)])

    assert kept == [[(0, -1)], [(0, 1)], [(0, 1)], [(0, 1)], [(0, 1)]]


@needs_library
def test_a_hidden_object_gets_its_number_back() -> None:
    """Within a second; later it is a new one."""
    tracker = Tracker(thresh=0.25, fps=10)
    numbers = []
    for frame in [*range(1, 4), 8, 9, 30, 31]:
        for empty in range(len(numbers), frame - 1):
            tracker.update(found(frame=empty + 1))
            numbers.append(None)
        tracked = tracker.update(found((50, 0.9, 0), frame=frame))
        numbers.append(int(tracked.track_ids[0]) if tracked.track_ids is not None else None)

    assert [number for number in numbers if number is not None] == [-1, 1, 1, 1, 1, -1, 2]


@needs_library
def test_boxes_of_one_object_share_its_track() -> None:
    """A second class on the same box is a reading of the same object; a low score beside a better box is dropped."""
    tracker = Tracker(thresh=0.25, fps=10)
    rows = ((50, 0.9, 0), (51, 0.6, 1), (53, 0.2, 1), (120, 0.5, 0))
    tracker.update(found(*rows, frame=1))

    tracked = tracker.update(found(*rows, frame=2))

    assert tracked.track_ids is not None
    assert [round(float(score), 1) for score in tracked.scores] == [0.9, 0.6, 0.5]
    assert tracked.track_ids[0] == tracked.track_ids[1] != tracked.track_ids[2]
    assert {int(number) for number in tracked.track_ids} == {1, 2}


@needs_library
def test_frames_without_detections_are_tracked() -> None:
    """Before the first object, and after the last."""
    tracker = Tracker(thresh=0.25, fps=10)

    empty = [tracker.update(found(frame=1)), tracker.update(found((9, 0.9, 0), frame=2)), tracker.update(found(frame=3))]

    assert [len(one) for one in empty] == [0, 1, 0]
    assert all(one.track_ids is not None and one.track_ids.dtype == np.int64 for one in empty)


@needs_library
def test_a_low_threshold_keeps_the_detections_above_the_usual_one() -> None:
    """What the network reports without tracking stays, to the bit, above what tracking adds."""
    detect = detector(thresh=0.25)
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    usual = detect(image)

    low = low_threshold(detect.pipeline).one(detect.reader.fit(image))

    assert len(low) > len(usual) > 0
    above = low[low.scores > np.float32(0.25)]
    assert np.array_equal(above.boxes_xyxy, usual.boxes_xyxy)
    assert np.array_equal(above.scores, usual.scores)
    detect.close()


@needs_library
def test_streams_can_be_tracked(tmp_path: Path) -> None:
    """Detections of a stream carry numbers from 1."""
    detect = detector(thresh=0.1)

    numbers = [found.track_ids for _, found in detect.stream(write_clip(tmp_path / "a.mp4", 6), track=True)]

    assert all(one is not None for one in numbers)
    assert {int(number) for one in numbers if one is not None for number in one} >= {1}
    detect.close()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"^tracking needs .*: pip install '"):
        Tracker(thresh=0.25, fps=10)


def test_tracks_are_counted_once_under_their_most_frequent_class() -> None:
    """Detections without a track do not count, nor does a second row of the same track."""
    counter = TrackCounter()
    counter.update(found((0, 0.9, 1), (50, 0.9, 0), (90, 0.5, 0), tracks=[1, 2, -1]))
    counter.update(found((0, 0.9, 0), (50, 0.9, 0), (51, 0.5, 1), tracks=[1, 2, 2]))
    counter.update(found((0, 0.9, 0), tracks=[1]))
    counter.update(found((0, 0.9, 1)))

    assert counter.counts() == {0: 2}


def positions(counter: LineCounter, *centres: tuple[float, float], track: int = 1) -> tuple[int, int]:
    """Counts to the right and to the left after a track has moved through these centres."""
    for x, y in centres:
        counter.update(found((round(x - 10), 0.9, 0), tracks=[track], y=y - 10))
    return counter.to_right[0], counter.to_left[0]


def test_a_line_counts_each_track_once_in_each_direction() -> None:
    """The right side of a line from left to right is below it; a track that turns back counts in both directions."""
    counter = LineCounter(CountLine.parsed("0,50,200,50"))

    assert positions(counter, (100, 20), (100, 40), (100, 60)) == (1, 0)
    assert positions(counter, (100, 45), (100, 55), (100, 45)) == (1, 1)
    assert positions(counter, (30, 80), (32, 20), track=2) == (1, 2)
    assert positions(counter, (30, 20), track=3) == (1, 2)


def test_a_line_ends_at_its_ends() -> None:
    """A track that passes beside it is not counted, one that jumps over it between two frames is."""
    counter = LineCounter(CountLine.parsed("0,50,80,50"))

    assert positions(counter, (100, 20), (100, 80)) == (0, 0)
    assert positions(counter, (20, 20), (60, 90), track=2) == (1, 0)


def test_lines_may_have_any_direction() -> None:
    """The right side of a line that points down is on its left in the image."""
    counter = LineCounter(CountLine.parsed("50,0,50,100"))

    assert positions(counter, (80, 50), (20, 50)) == (1, 0)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "5,5,5,5", "nan,0,1,1", "0,0,1e12,0"])
def test_what_is_no_line_is_one_error(text: str) -> None:
    """It names the parameter."""
    with pytest.raises(OptionError, match=rf"^count_line={text}: expected ") as caught:
        CountLine.parsed(text)

    assert caught.value.parameter == "count_line"


def test_trails_hold_the_last_frames() -> None:
    """A track without boxes loses its trail point by point."""
    trails = Trails(3)

    lengths = []
    for frame in range(1, 9):
        rows = [(10 * frame, 0.9, 0)] if frame <= 5 else []
        current = trails.update(found(*rows, tracks=[7] * len(rows)))
        lengths.append({track: len(points) for track, points in current.items()})

    assert lengths == [{7: 1}, {7: 2}, {7: 3}, {7: 3}, {7: 3}, {7: 2}, {7: 1}, {}]


def test_memory_of_lines_is_bounded() -> None:
    """Thousands of tracks leave a bounded number of positions."""
    counter = LineCounter(CountLine.parsed("0,50,200,50"))
    for track in range(3000):
        positions(counter, (100, 20), (100, 60), track=track)

    assert counter.to_right[0] == 3000
    assert len(counter._centres) + len(counter._crossed) < 4000
