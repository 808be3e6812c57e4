"""Options of one call of a detector, and the postprocessor that follows them."""

from collections.abc import Collection
from numbers import Integral, Real
from typing import TypedDict

import numpy as np
from msgspec.structs import replace

from yolodsc.arrays import Array
from yolodsc.detection.classes import ClassSelection, class_numbers
from yolodsc.detection.detections import Detections
from yolodsc.detection.postprocess import Postprocessor
from yolodsc.errors import OptionError
from yolodsc.network import Candidates, Network


class CallOptions(TypedDict, total=False):
    """Options of one call of a `Detector`; None and missing ones are those of the detector."""

    thresh: float | None
    nms: float | None
    classes: ClassSelection | None
    max_detections: int | None
    agnostic: bool


def checked_thresholds(*, thresh: float | None, nms: float | None, nms_name: str = "nms") -> None:
    """Raise an `OptionError` unless both thresholds, if given, lie within 0 to 1."""
    for name, value in (("thresh", thresh), (nms_name, nms)):
        if value is None:
            continue
        if not isinstance(value, Real) or not 0 <= value <= 1:
            shown = f"{value:g}" if isinstance(value, Real) else repr(value)
            raise OptionError(f"{name}={shown}: expected 0 to 1", parameter=name)


def postprocessor(
    network: Network, names: tuple[str, ...], options: CallOptions, *, defaults: CallOptions
) -> "SelectivePostprocessor":
    """Return the postprocessor of one call; ``defaults`` has the thresholds and classes of the detector.

    Raises
    ------
    OptionError
        A threshold, class or number is invalid.
    """
    thresh, nms, classes = options.get("thresh"), options.get("nms"), options.get("classes")
    limit = options.get("max_detections")
    checked_thresholds(thresh=thresh, nms=nms)
    if limit is not None and (not isinstance(limit, Integral) or limit < 0):
        raise OptionError(f"max_detections={limit}: expected 0 or more", parameter="max_detections")
    chosen = defaults.get("classes") if classes is None else classes
    return SelectivePostprocessor(
        network=network,
        names=names,
        thresh=_first(thresh, defaults.get("thresh")),
        nms_thresh=_first(nms, defaults.get("nms")),
        classes=None if chosen is None else class_numbers(names, chosen),
        max_detections=limit,
        agnostic=options.get("agnostic", False),
    )


def _first(value: float | None, default: float | None) -> float:
    return value if value is not None else (default or 0.0)


class SelectivePostprocessor(Postprocessor, kw_only=True):
    """A postprocessor that can also suppress across classes and limit the number of detections.

    Attributes
    ----------
    agnostic
        Suppress boxes that overlap a better box of any class; each box keeps its best class only.
    max_detections
        Maximum number of detections, the best first; None reports all.
    """

    agnostic: bool = False
    max_detections: int | None = None

    def detections(self, candidates: Candidates, *, width: int, height: int, path: str | None = None) -> Detections:
        """Suppress overlapping candidates and return the rest in pixels."""
        if self.agnostic:
            candidates = self._across_classes(candidates)
        return Postprocessor.detections(self, candidates, width=width, height=height, path=path)

    @property
    def usual(self) -> bool:
        """Whether suppression is that of the base class."""
        return not self.agnostic

    def reported(self, detections: Detections) -> Detections:
        """The best detections of the classes to report."""
        found = Postprocessor.reported(self, detections)
        return found if self.max_detections is None else found[: self.max_detections]

    def _across_classes(self, candidates: Candidates) -> Candidates:
        """Each box with its best class, suppressed as if all were of one class."""
        probabilities = _columns(candidates.probabilities, self.classes)
        best = probabilities.argmax(axis=1)
        rows = np.arange(len(best))
        alone = replace(candidates, probabilities=probabilities[rows, best][:, None])
        scores = np.zeros_like(probabilities)
        scores[rows, best] = self.suppressed(alone).probabilities[:, 0]
        return replace(candidates, probabilities=scores)


def _columns(probabilities: Array, classes: Collection[int] | None) -> Array:
    """(N, K) with the scores of other classes set to 0."""
    if classes is None:
        return probabilities
    reported = np.zeros(probabilities.shape[1], bool)
    reported[list(classes)] = True
    return np.where(reported, probabilities, np.float32(0))
