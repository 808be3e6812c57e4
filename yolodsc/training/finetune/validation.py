"""The mean AP of a network during training, by the rule ``voc10``."""

from dataclasses import dataclass

from yolodsc.detection import Detector
from yolodsc.evaluation import RULES, Dataset, detection_table, run_inference, score_detections
from yolodsc.network import Network
from yolodsc.precision import Quantization

THRESH = 0.005
"""Smallest score of a detection, as in ``detector valid``."""


@dataclass(frozen=True, slots=True)
class Validation:
    """A labelled set of images, in the order of the network's classes."""

    dataset: Dataset
    names: tuple[str, ...]
    threads: int = 1

    def __call__(self, network: Network, quantization: Quantization | None = None) -> float:
        """Return the mean AP, 0..1, in int8 with a quantization; 0 if no class has objects."""
        detector = Detector(
            network,
            self.names,
            thresh=THRESH,
            threads=1,
            streams=self.threads,
            precision="int8" if quantization else "f32",
            quantization=quantization,
        )
        try:
            found = detection_table(self.dataset, list(run_inference(self.dataset, detector)))
        finally:
            detector.close()
        rule = RULES["voc10"]
        classes, images = len(self.dataset.names), len(self.dataset.ids)
        return score_detections([rule], self.dataset.ground_truth, found, classes=classes, images=images)[rule.name].mean_ap or 0.0
