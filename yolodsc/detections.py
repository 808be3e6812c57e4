"""`Detections`: what was found in one picture, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolodsc.shape import Array, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes that survived threshold and suppression, one row per box **and class** (Darknet is multi-label).

    Attributes
    ----------
    boxes_xyxy : (N, 4) float32
        Corners in pixels of the picture; not clipped, as in Darknet.
    scores : (N,) float32
        Objectness times class probability.
    objectness : (N,) float32
    class_ids : (N,) int64
    names : tuple of str
        Name of every class of the network, so that ``names[class_ids[i]]`` always works.
    width, height : int
        The picture's size in pixels.
    path : str or None
        Where the picture was read from.
    """

    boxes_xyxy: Array
    scores: Array
    objectness: Array
    class_ids: Ints
    names: tuple[str, ...]
    width: int
    height: int
    path: str | None = None

    def __len__(self) -> int:
        return len(self.scores)
