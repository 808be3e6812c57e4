"""What is labelled and what was found, as columns: one row an object, one row a detection."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Labelled objects of a whole dataset, in the order of the label files.

    Attributes
    ----------
    image : (N,) int64
        Index of the image.
    class_id : (N,) int64
    boxes_xyxy : (N, 4) float64
        Corners in the dataset's own pixel coordinates (VOC: 1-based and inclusive).
    difficult : (N,) bool
    crowd : (N,) bool
        COCO's ``iscrowd``.
    area : (N,) float64
        COCO's ``area`` where the dataset gives one; NaN stands for width times height.
    """

    image: Ints
    class_id: Ints
    boxes_xyxy: Doubles
    difficult: Flags
    crowd: Flags
    area: Doubles

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def of(cls, image: Ints, class_id: Ints, boxes_xyxy: Doubles, difficult: Flags | None = None) -> Self:
        """Objects without COCO's extras."""
        n = len(image)
        none = np.zeros(n, bool)
        return cls(image, class_id, boxes_xyxy, none if difficult is None else difficult, none, np.full(n, np.nan))

    def __getitem__(self, rows: Ints | Flags) -> Self:
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))

    def with_more(self, other: Self) -> Self:
        """These objects and the other ones after them."""
        return type(self)(*(np.concatenate([getattr(self, c.name), getattr(other, c.name)]) for c in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTable:
    """Detections of a whole dataset, in the order in which they were given.

    Attributes
    ----------
    image : (N,) int64
    class_id : (N,) int64
    score : (N,) float64
    boxes_xyxy : (N, 4) float64
        Corners in the coordinates of the `GroundTruth` they are compared with.
    limits : (P, 4) float64 or None
        What each image's borders leave of a box (min and max of its corners), for boxes that may reach outside;
        None where boxes are not cut.
    """

    image: Ints
    class_id: Ints
    score: Doubles
    boxes_xyxy: Doubles
    limits: Doubles | None = None

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def empty(cls) -> Self:
        """No detection at all."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4)))

    def __getitem__(self, rows: Ints | Flags) -> Self:
        return type(self)(self.image[rows], self.class_id[rows], self.score[rows], self.boxes_xyxy[rows], self.limits)

    def clipped(self) -> Self:
        """The same with every box cut at the borders of its image, as ``detector valid`` writes them."""
        if self.limits is None:
            return self
        low, high = self.limits[self.image, :2], self.limits[self.image, 2:]
        corners = self.boxes_xyxy.reshape(-1, 2, 2)
        cut = np.minimum(np.maximum(corners, low[:, None]), high[:, None]).reshape(-1, 4)
        return replace(self, boxes_xyxy=cut, limits=None)
