"""`Tracker`: numbers for objects through the frames of a video, by ByteTrack.

The association is that of the library ``trackers`` (Zhang et al. 2022, ByteTrack: Multi-Object Tracking by Associating Every
Detection Box): boxes above the threshold are matched first, and boxes of low score continue tracks that are still without a match.
"""

import importlib.util

import numpy as np
from msgspec.structs import replace

from yolodsc.arrays import Ints
from yolodsc.detection.detections import Detections
from yolodsc.detection.pipeline import Pipeline
from yolodsc.errors import MissingExtraError
from yolodsc.network import iou, to_xywh

LOW_SCORE = 0.1
"""Minimum score of boxes that continue a track, as in ByteTrack."""

MIN_IOU = 0.1
"""Minimum IoU of a box with the position at which its track is expected."""

SAME_OBJECT = 0.7
"""IoU above which two boxes are one object."""

LOW_OVERLAP = 0.45
"""IoU above which a box of low score is another reading of a better box, and not an object that is hidden in part."""

BUFFER_SECONDS = 1.0
"""Time for which a track without boxes is kept."""


class Tracker:
    """Numbers the detections of successive frames.

    Parameters
    ----------
    thresh
        Minimum score of detections that begin a track. Detections of lower score are kept only if they continue one.
    fps
        Frames a second; used for frames without times, and as the unit of the motion model.

    Raises
    ------
    MissingExtraError
        The library is not installed.
    """

    def __init__(self, *, thresh: float, fps: float) -> None:
        if importlib.util.find_spec("trackers") is None:
            raise MissingExtraError("track", needed_for="tracking")
        from trackers import ByteTrackTracker

        self._thresh = thresh
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(30 * BUFFER_SECONDS),  # the library counts in thirtieths of a second
            frame_rate=fps,
            track_activation_threshold=thresh,
            high_conf_det_threshold=thresh,
            minimum_iou_threshold=MIN_IOU,
        )

    def update(self, detections: Detections) -> Detections:
        """Return the detections of the next frame with ``track_ids``.

        A track has a number from its second frame on; the numbers begin at 1. Rows of one object share their track.
        """
        from supervision import Detections as Boxes

        detections, object_of_row = self._objects(detections)
        first = np.unique(object_of_row)
        boxes = Boxes(xyxy=detections.boxes_xyxy[first].reshape(-1, 4), confidence=detections.scores[first], data={"row": first})
        seconds = None if detections.time_ms is None else detections.time_ms / 1000
        tracked = self._tracker.update(boxes, timestamp=seconds)
        numbers = np.full(len(detections), -1, np.int64)
        if len(tracked):
            ids = np.asarray(tracked.tracker_id, np.int64)
            numbers[tracked.data["row"]] = np.where(ids < 0, -1, ids + 1)
        track_ids = numbers[object_of_row]
        kept = (detections.scores > self._thresh) | (track_ids >= 0)
        return replace(detections, track_ids=track_ids)[kept]

    def _objects(self, detections: Detections) -> tuple[Detections, Ints]:
        """Find rows of one object: boxes that overlap a better one, of whatever class (suppression acts within a class).

        Returns
        -------
        detections
            Without the rows below the threshold that overlap a better one.
        first : (N,)
            For each row the best row of its object.
        """
        best_first = detections[np.argsort(-detections.scores, kind="stable")]
        high = best_first.scores > self._thresh
        boxes_xywh = to_xywh(best_first.boxes_xyxy)
        kept: list[int] = []
        first: list[int] = []
        heads: list[int] = []  # best rows of the objects so far
        for row, box in enumerate(boxes_xywh):
            overlaps = iou(box, boxes_xywh[heads]) if heads else np.zeros(1, np.float32)
            best = int(overlaps.argmax())
            if overlaps[best] > (SAME_OBJECT if high[row] else LOW_OVERLAP):
                if not high[row]:
                    continue
                first.append(kept.index(heads[best]))
            else:
                first.append(len(kept))
                heads.append(row)
            kept.append(row)
        return best_first[np.array(kept, np.int64)], np.array(first, np.int64)


def low_threshold(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that also reports the boxes of low score that `Tracker` uses."""
    post = pipeline.postprocessor
    return replace(pipeline, postprocessor=replace(post, thresh=min(post.thresh, LOW_SCORE)))
