"""Quality of a candidate: agreement with the original on unlabelled images, mean AP on labelled ones."""

from collections.abc import Sequence

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose import agreed_detections, f1_of
from yolodsc.detection import Detector
from yolodsc.evaluation import RULES, Dataset, detection_table, run_inference, score_detections
from yolodsc.network import Candidates, Network
from yolodsc.precision import Quantization
from yolodsc.values import Value

THRESH = 0.005
"""Smallest score of detections for the mean AP, as in ``detector valid``."""


class LabelledImages(Value, eq=False):
    """Images with objects, whose classes are in the order of the network's; ``rule`` is one of `RULES`."""

    dataset: Dataset
    names: tuple[str, ...]
    rule: str = "voc10"

    def mean_ap(self, network: Network, precision: str, quantization: Quantization | None, *, threads: int) -> float:
        """The mean AP of a network, 0..1; 0 if no class has objects. All precisions read images with the fast decoder."""
        detector = Detector(
            network,
            self.names,
            thresh=THRESH,
            decoder="fast",
            threads=1,
            streams=threads,
            precision=precision,
            quantization=quantization,
        )
        try:
            found = detection_table(self.dataset, list(run_inference(self.dataset, detector)))
        finally:
            detector.close()
        rule = RULES[self.rule]
        classes, images = len(self.dataset.names), len(self.dataset.ids)
        return score_detections([rule], self.dataset.ground_truth, found, classes=classes, images=images)[rule.name].mean_ap or 0.0


def detections(
    network: Network, precision: str, quantization: Quantization | None, images: Array, *, threads: int
) -> Sequence[Candidates]:
    """Detections over .25 in images (N, C, H, W), relative to their sides, so that they compare across input sizes."""
    compiled = engine.compile(network, threads=threads, precision=precision, quantization=quantization)
    with compiled as runner:
        return [agreed_detections(network, runner(np.ascontiguousarray(image))) for image in images]


def agreement(expected: Sequence[Candidates], found: Sequence[Candidates]) -> float:
    """F1 of detections against others; see `f1_of`."""
    return f1_of(expected, found)
