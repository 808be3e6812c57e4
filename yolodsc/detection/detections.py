"""`Detections`: the detections of one image, as arrays that behave like a list."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from yolodsc.arrays import Array, Ints
from yolodsc.detection.classes import ClassSelection, selected_classes
from yolodsc.errors import ImageError
from yolodsc.network import Candidates, to_xywh, to_xyxy
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection.results.detection import Detection

TableLibrary = Literal["pandas", "polars"]

Rows = slice | NDArray[Any] | Sequence[int] | Sequence[bool]
"""Rows of detections: a slice, a boolean mask, or indices."""


class Detections(Value, eq=False):
    """Boxes that survived threshold and suppression, one row per box **and class** (Darknet is multi-label), best first.

    A list of `Detection`: it has a length, is iterated over, and ``detections[0]`` is its best object. Slices, boolean masks and
    lists of indices give `Detections` of these rows.

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
    image : (H, W, C) uint8 or None
        The image, RGB or grey, for `plot`, `save`, `show` and `crops`. It lives as long as the detections: `without_image` drops
        it where the detections of many images are kept.
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
    image: NDArray[np.uint8] | None = None

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

    def __iter__(self) -> Iterator["Detection"]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> "Detection": ...
    @overload
    def __getitem__(self, rows: Rows) -> Self: ...
    def __getitem__(self, rows: int | np.integer[Any] | Rows) -> "Detection | Self":
        """One object by its index, or the same image's detections of several rows."""
        if isinstance(rows, int | np.integer):
            return self._at(int(rows))
        if not isinstance(rows, slice):
            rows = np.asarray(rows, None if len(rows) else np.intp)
        return replace(
            self,
            boxes_xyxy=self.boxes_xyxy[rows],
            scores=self.scores[rows],
            objectness=self.objectness[rows],
            class_ids=self.class_ids[rows],
            candidate_ids=None if self.candidate_ids is None else self.candidate_ids[rows],
            track_ids=None if self.track_ids is None else self.track_ids[rows],
        )

    def __repr__(self) -> str:
        counts = Counter(self.class_names())
        shown = [f"{count} {name}" for name, count in counts.most_common(5)]
        rest = [f"{len(counts) - 5} more classes"] if len(counts) > 5 else []
        found = ", ".join(shown + rest) or "no objects"
        return f"Detections({f'{self.path}, ' if self.path else ''}{self.width}x{self.height}: {found})"

    def of_classes(self, classes: ClassSelection) -> Self:
        """Only the detections of these classes, given by name or number: ``of_classes("dog")``, ``of_classes([0, "dog"])``."""
        return self[np.isin(self.class_ids, selected_classes(self.names, classes))]

    def clip(self) -> Self:
        """The same detections with boxes clipped to the image."""
        limits = np.array([self.width, self.height] * 2, np.float32)
        return replace(self, boxes_xyxy=np.clip(self.boxes_xyxy, np.float32(0), limits))

    def without_image(self) -> Self:
        """The same detections without the image, which can then be released."""
        return replace(self, image=None)

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

    def to_dict(self) -> dict[str, Any]:
        """The detections as JSON values: ``path``, ``width``, ``height`` and a list ``detections`` of `Detection.to_dict`."""
        objects = [found.to_dict() for found in self]
        return {"path": self.path, "width": self.width, "height": self.height, "detections": objects}

    def to_json(self, path: str | Path | None = None, *, indent: int | None = None) -> str:
        """`to_dict` as JSON text; written to a file as well if ``path`` is given."""
        from yolodsc.detection.results.export import json_text, written

        return written(json_text(self.to_dict(), indent=indent), path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """CSV text ``path,class,score,xmin,ymin,xmax,ymax`` with a heading; written to a file as well if ``path`` is given."""
        from yolodsc.detection.results.export import csv_text, written

        return written(csv_text(self), path)

    def to_dataframe(self, library: TableLibrary | None = None) -> Any:
        """A table of pandas or polars, by default of the first that is installed: ``class_id, name, score, xmin, …, ymax``."""
        from yolodsc.detection.results.export import table

        return table(self, library)

    def to_supervision(self) -> Any:
        """The detections as ``supervision.Detections``; a `MissingExtraError` if that library is not installed."""
        from yolodsc.detection.results.export import supervision_detections

        return supervision_detections(self)

    def to_darknet(self, *, frame_id: int = 1) -> dict[str, Any]:
        """One frame of the file that ``darknet detector test -out`` writes (``image.c: detection_to_json``)."""
        from yolodsc.detection.results.export import darknet_frame

        return darknet_frame(self, frame_id)

    def track_fields(self) -> list[dict[str, int | None]]:
        """The field ``track_id`` of each row in JSON, null without a track; no fields without tracking."""
        if self.track_ids is None:
            return [{} for _ in range(len(self))]
        return [{"track_id": int(number) if number >= 0 else None} for number in self.track_ids]

    def draw(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the image (H, W, 3 or 1) with boxes, names and scores on it, as (H, W, 3)."""
        from yolodsc.images import annotated

        return annotated(image, self.boxes_xyxy, labels=self.labels(), class_ids=self.class_ids)

    def plot(self, *, bgr: bool = False) -> NDArray[np.uint8]:
        """The image with boxes, names and scores on it, (H, W, 3) in RGB order; in BGR order, as OpenCV expects, with ``bgr``.

        An `ImageError` is raised if the detections have no image, as those of `without_image`.
        """
        drawn = self.draw(self._own_image())
        return np.ascontiguousarray(drawn[..., ::-1]) if bgr else drawn

    def save(self, path: str | Path) -> Path:
        """Write the image with boxes on it, in the format of the suffix; to a directory under the name of the image.

        Returns the path. The image's own file is never overwritten.
        """
        from yolodsc.detection.results.rendering import save

        return save(self, path)

    def show(self) -> None:
        """Open the image with boxes on it in the system's viewer."""
        from yolodsc.detection.results.rendering import show

        show(self)

    def crops(self) -> list[NDArray[np.uint8]]:
        """The part of the image inside each box, (H, W, C), clipped to the image; empty for boxes outside. Views of ``image``."""
        from yolodsc.detection.results.rendering import cropped

        return cropped(self._own_image(), self.boxes_xyxy)

    def _repr_html_(self) -> str:
        from yolodsc.detection.results.rendering import html_text

        return html_text(self)

    def _repr_png_(self) -> bytes | None:
        from yolodsc.detection.results.rendering import encoded

        return None if self.image is None else encoded(self, "PNG")

    def _own_image(self) -> NDArray[np.uint8]:
        if self.image is None:
            raise ImageError("image=None: these detections keep no image; expected draw(image), or detections of a Detector")
        return self.image

    def _at(self, row: int) -> "Detection":
        from yolodsc.detection.results.detection import Detection

        if not -len(self) <= row < len(self):
            raise IndexError(f"detection {row} of {len(self)}")
        class_id = int(self.class_ids[row])
        left, top, right, bottom = map(float, self.boxes_xyxy[row])
        track_id = None if self.track_ids is None or self.track_ids[row] < 0 else int(self.track_ids[row])
        return Detection(class_id, self.names[class_id], float(self.scores[row]), (left, top, right, bottom), track_id)
