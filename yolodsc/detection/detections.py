"""`Detections`: the detections of one image, as arrays."""

from collections.abc import Collection
from typing import Any, Self

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from yolodsc.arrays import Array, Ints
from yolodsc.network import Candidates, to_xywh, to_xyxy
from yolodsc.values import Value


class Detections(Value, eq=False):
    """Boxes that survived threshold and suppression, one row per box **and class** (Darknet is multi-label), best first.

    Attributes
    ----------
    boxes_xyxy : (N, 4) float32
        Corners in pixels of the image; not clipped, as in Darknet.
    scores : (N,) float32
        Objectness times class probability.
    objectness : (N,) float32
    class_ids : (N,) int64
    names : tuple of str
        Name of every class of the network, so that ``names[class_ids[i]]`` always works.
    width, height : int
        The image's size in pixels.
    path : str or None
        The file of the image.
    candidate_ids : (N,) int64 or None
        Row of the candidates before suppression that each detection comes from; None if the detections come from elsewhere.
    track_ids : (N,) int64 or None
        Number of the track that each detection belongs to, from 1; -1 for detections without a track, None without tracking.
    frame : int or None
        Number of the frame in its video, from 1; None for images.
    time_ms : float or None
        Time of the frame since the start of its video, or since a camera or stream was opened; None for images.
    """

    boxes_xyxy: Array
    scores: Array
    objectness: Array
    class_ids: Ints
    names: tuple[str, ...]
    width: int
    height: int
    path: str | None = None
    candidate_ids: Ints | None = None
    track_ids: Ints | None = None
    frame: int | None = None
    time_ms: float | None = None

    @classmethod
    def from_candidates(
        cls, candidates: Candidates, *, names: tuple[str, ...], width: int, height: int, path: str | None = None
    ) -> Self:
        """All class scores above 0 of boxes relative to an image of ``width`` x ``height`` pixels."""
        rows, class_ids = np.nonzero(candidates.probabilities)
        scores = candidates.probabilities[rows, class_ids]
        order = np.argsort(-scores, kind="stable")
        rows, class_ids = rows[order], class_ids[order]
        pixels = np.array([width, height, width, height], np.float32)
        boxes = to_xyxy(candidates.boxes_xywh[rows]) * pixels
        return cls(boxes, scores[order], candidates.objectness[rows], class_ids, names, width, height, path, rows)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Self:
        """The same image's detections, these rows only."""
        return replace(
            self,
            boxes_xyxy=self.boxes_xyxy[rows],
            scores=self.scores[rows],
            objectness=self.objectness[rows],
            class_ids=self.class_ids[rows],
            candidate_ids=None if self.candidate_ids is None else self.candidate_ids[rows],
            track_ids=None if self.track_ids is None else self.track_ids[rows],
        )

    def of_classes(self, class_ids: Collection[int]) -> Self:
        """Only the detections of these classes."""
        return self[np.isin(self.class_ids, list(class_ids))]

    def class_names(self) -> list[str]:
        """The name of each row's class."""
        return [self.names[class_id] for class_id in self.class_ids]

    def labels(self) -> list[str]:
        """The text for each row on a drawing: name, number of the track if there is one, and score."""
        numbers = (
            [f" #{number}" if number >= 0 else "" for number in self.track_ids] if self.track_ids is not None else [""] * len(self)
        )
        rows = zip(self.class_names(), numbers, self.scores, strict=True)
        return [f"{name}{number} {score:.0%}" for name, number, score in rows]

    def boxes_xywh_relative(self) -> Array:
        """(N, 4) centre and size relative to the image, as in Darknet's labels."""
        pixels = np.array([self.width, self.height] * 2, np.float32)
        return (to_xywh(self.boxes_xyxy) / pixels).astype(np.float32, copy=False)

    def to_json(self, *, frame_id: int = 1) -> dict[str, Any]:
        """One frame of the file that ``darknet detector test -out`` writes (``image.c: detection_to_json``)."""
        keys = ("center_x", "center_y", "width", "height")
        return {
            "frame_id": frame_id,
            "filename": self.path or "",
            "objects": [
                {
                    "class_id": int(class_id),
                    "name": self.names[class_id],
                    "relative_coordinates": dict(zip(keys, map(_six_digits, box), strict=True)),
                    "confidence": _six_digits(score),
                    **track,
                }
                for class_id, box, score, track in zip(
                    self.class_ids, self.boxes_xywh_relative(), self.scores, self.track_fields(), strict=True
                )
            ],
        }

    def track_fields(self) -> list[dict[str, int | None]]:
        """The field ``track_id`` of each row in JSON, null without a track; no fields without tracking."""
        if self.track_ids is None:
            return [{} for _ in range(len(self))]
        return [{"track_id": int(number) if number >= 0 else None} for number in self.track_ids]

    def draw(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the image (H, W, 3 or 1) with boxes, names and scores on it, as (H, W, 3)."""
        from yolodsc.images import annotated

        return annotated(image, self.boxes_xyxy, labels=self.labels(), class_ids=self.class_ids)


def _six_digits(value: float) -> float:
    """Darknet prints ``%f``."""
    return round(float(value), 6)
