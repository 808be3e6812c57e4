"""Outputs of the heads to detections: decode, undo the geometry, suppress."""

from collections.abc import Collection

from msgspec.structs import replace

from yolodsc.arrays import Array
from yolodsc.detection.detections import Detections
from yolodsc.images import Placement
from yolodsc.network import Candidates, Head, Network, NmsKind, concatenated, drop_nonfinite, nms
from yolodsc.values import Value


class Postprocessor(Value, kw_only=True):
    """The second half of the pipeline: from the heads' outputs to detections.

    Attributes
    ----------
    network
        Its heads decode the outputs.
    names
        Names of the classes.
    thresh, nms_thresh
        Minimum score and maximum overlap, both strict.
    classes
        Class numbers to report; None reports all.
    """

    network: Network
    names: tuple[str, ...]
    thresh: float
    nms_thresh: float
    classes: Collection[int] | None = None

    @property
    def min_score(self) -> float:
        """Minimum score of candidates: the threshold, or the floor of the profile."""
        return max(self.thresh, self.network.profile.score_floor)

    def candidates(self, outputs: dict[int, Array], placement: Placement, *, width: int, height: int) -> Candidates:
        """Return the boxes of all heads, relative to an image of ``width`` x ``height`` pixels, before suppression.

        Parameters
        ----------
        outputs
            Outputs (C, H, W) by layer index.
        """
        shape, thresh = self.network.input_shape, self.min_score
        decoded = [
            _relative(head.decode(outputs[head.index], input_shape=shape, thresh=thresh), head, placement)
            for head in self.network.heads
        ]
        return drop_nonfinite(concatenated(decoded), width=width, height=height)

    def detections(self, candidates: Candidates, *, width: int, height: int, path: str | None = None) -> Detections:
        """Suppress overlapping candidates and return the rest in pixels."""
        found = Detections.from_candidates(self.suppressed(candidates), names=self.names, width=width, height=height, path=path)
        return self.reported(found)

    def suppressed(self, candidates: Candidates) -> Candidates:
        """Suppress overlapping candidates class by class, as profile and cfg select."""
        kind, beta = suppression_kind(self.network)
        return nms(candidates, kind=kind, thresh=self.nms_thresh, beta=beta)

    @property
    def usual(self) -> bool:
        """Whether suppression goes class by class and nothing else, which kernels reproduce."""
        return True

    def reported(self, detections: Detections) -> Detections:
        """Only the detections of the classes to report."""
        return detections if self.classes is None else detections.of_classes(self.classes)


def suppression_kind(network: Network) -> tuple[NmsKind, float]:
    """The kind of non-maximum suppression, and the exponent of ``diounms``."""
    last = network.heads[-1]
    return last.nms_kind if network.profile.nms == "cfg" else "default", last.beta_nms


def _relative(candidates: Candidates, head: Head, placement: Placement) -> Candidates:
    """A head's candidates relative to the image, as far as Darknet undoes the letterbox."""
    return replace(candidates, boxes_xywh=placement.undo(candidates.boxes_xywh)) if head.letterboxed else candidates
