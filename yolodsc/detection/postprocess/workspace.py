"""The buffers of one thread for everything behind the network, and the kernels bound to them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.detection.postprocess.heads import HeadLayout
from yolodsc.engine import Activation, Runner
from yolodsc.images import Placement
from yolodsc.jit import Kernel

_SELECTED = "f4[1] int int int int f4[1] f4[2] i8[1] i8[1]"
_BOXED = "f4[2] f4[2] i8[1] i8[1] i8[1] f4[2] f4[1] i8[1] f4[2] f4[1] f4[2] i8[1] i8[1] f4[1]"
_SUPPRESSED = "i8[1] i8[1] i8[1] i8[1] f4[1] f4[2] f4[1] int f4[1] i8[1] i8[1] f4[2] f4[2] i8[2]"
_selected = Kernel("yolodsc.detection.postprocess.selection:selected", _SELECTED)
_boxed = Kernel("yolodsc.detection.postprocess.boxes:boxed", _BOXED)
_suppressed = Kernel("yolodsc.detection.postprocess.suppression:suppressed", _SUPPRESSED)
DECODING_KERNELS = (_selected, _boxed, _suppressed)
"""Everything that is compiled for the postprocessing."""

UNDECIDED = -1
MAX_ENTRIES = 2**16
"""Maximum number of scores over the threshold in one image; with more, another implementation suppresses."""

_STEP = 16
"""Boxes are activated in multiples of it: the longest vector of any instruction set."""


class DecodingBuffers:
    """Buffers for the candidates of one image at a time; large enough for all boxes, though memory is used only for those found.

    Attributes
    ----------
    raw
        The inputs of the heads by layer index, which the runner fills.
    boxes_xywh : (M, 4), objectness : (M,), probabilities : (M, K)
        Candidates; the first ones are valid.
    numbers
        Threshold, size and placement of the image, as for `boxes.boxed`.
    out_boxes : (E, 4), out_numbers : (2, E), out_ids : (2, E)
        Detections: corners in pixels; scores and objectness; classes and candidates.
    """

    def __init__(self, heads: Sequence[HeadLayout], runner: Runner, raw: dict[int, Array], *, exponent: int) -> None:
        self.raw = raw
        boxes, classes = sum(layout.boxes for layout in heads), heads[0].head.reported
        entries = min(boxes * classes, MAX_ENTRIES)
        self.boxes_xywh, self.objectness = np.empty((boxes, 4), np.float32), np.empty(boxes, np.float32)
        self.probabilities = np.empty((boxes, classes), np.float32)
        self.out_boxes, self.out_numbers = np.empty((entries, 4), np.float32), np.empty((2, entries), np.float32)
        self.out_ids = np.empty((2, entries), np.int64)
        self.numbers, self._pixels, self._state = np.zeros(7, np.float32), np.zeros(3, np.float32), np.zeros(3, np.int64)
        self._rows, self._classes, self._scores = (np.empty(entries, kind) for kind in (np.int64, np.int64, np.float32))
        self._order = np.empty(entries, np.int64)
        self._heads = [_Head(layout, self, runner) for layout in heads]
        candidates = (self.boxes_xywh, self.objectness)
        scratch = np.empty(classes, np.int64), np.empty(entries, np.int64)
        self._suppress = _suppressed.bound(
            self._order, *self.listed, *candidates, exponent, self._pixels, *scratch, self.out_boxes, self.out_numbers, self.out_ids
        )

    @property
    def listed(self) -> tuple[NDArray[Any], ...]:
        """State, rows, classes and negated scores, in the order that the kernels expect."""
        return self._state, self._rows, self._classes, self._scores

    def decode(self, placement: Placement, *, thresh: float, width: int, height: int) -> int:
        """Decode the boxes of all heads and return the number of candidates."""
        self.numbers[:] = thresh, width, height, *placement.offset, *placement.scale
        self._state[:] = 0
        with np.errstate(all="ignore"):
            for head in self._heads:
                head.decode(thresh)
        return int(self._state[1])

    def suppress(self, *, nms_thresh: float, width: int, height: int) -> int:
        """Suppress overlapping boxes and return the number of detections; `UNDECIDED` if another implementation has to."""
        self._pixels[:] = nms_thresh, width, height
        count = self._state[2]
        if count > len(self._order):
            return UNDECIDED
        self._order[:count] = self._scores[:count].argsort(kind="stable")
        return self._suppress()


class _Head:
    """One head's part of a workspace."""

    def __init__(self, layout: HeadLayout, space: DecodingBuffers, runner: Runner) -> None:
        head, boxes = layout.head, layout.boxes + -layout.boxes % _STEP
        self.layout, self.thresh, self.limit = layout, -1.0, np.zeros(1, np.float32)
        columns, self.active = (np.empty((layout.entries, boxes), np.float32) for _ in range(2))
        self.factors, self.state = np.empty((2, boxes), np.float32), space.listed[0]
        cells, anchors = np.empty(boxes, np.int64), np.empty(boxes, np.int64)
        raw, sizes = space.raw[head.sources[0]].reshape(-1), layout.sizes
        counts = len(sizes) - 2, layout.entries, layout.objectness, head.shape.height * head.shape.width
        self.select: Callable[[], int] = _selected.bound(raw, *counts, self.limit, columns, cells, anchors)
        self.activate: Activation = runner.activation(head, columns, self.active)
        candidates = (space.boxes_xywh, space.objectness, space.probabilities)
        state, *lists = space.listed
        self.box: Callable[[], int] = _boxed.bound(
            self.active, self.factors, cells, anchors, layout.table, sizes, space.numbers, state, *candidates, *lists
        )

    def decode(self, thresh: float) -> None:
        """Append this head's candidates to the workspace."""
        if thresh != self.thresh:
            self.thresh, self.limit[0] = thresh, self.layout.limit(thresh)
        count = self.select()
        if not count:
            return
        padded = count + -count % _STEP
        self.activate(padded)
        self.layout.finish(self.active[:, :padded])
        self.layout.factors(self.active[:, :padded], self.factors[:, :padded])
        self.state[0] = count
        self.box()
