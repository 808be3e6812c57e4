"""Measurement of candidates: time, agreement and mean AP, from the journal if they are there already."""

import time
from collections.abc import Callable

from yolodsc.optimize.journal import SearchJournal
from yolodsc.optimize.measurement import ORIGINAL, Candidate, Measurement
from yolodsc.optimize.quality import LabelledImages, agreement, detections
from yolodsc.optimize.settings import OptimizeSettings
from yolodsc.optimize.timing import RelativeTimer
from yolodsc.optimize.variants import Variant, Variants

ENGINE_PRECISIONS = {"f32": "f32", "bf16": "bf16", "mixed": "int8", "int8": "int8"}

SearchProgress = Callable[[str, float, Measurement | None], None]
"""Called with a description, the share of the work that is done, and each new measurement."""

WEIGHTS = {"measure": 1.0, "quantize": 12.0, "decompose": 20.0}
"""Approximate work of the steps of the search, in units of the first."""


class CandidateEvaluator:
    """Measures candidates; the search asks it what they cost and how good they are.

    Attributes
    ----------
    remaining
        Work that the search expects to be still ahead, in units of `WEIGHTS`.
    """

    def __init__(
        self,
        variants: Variants,
        timer: RelativeTimer,
        journal: SearchJournal,
        labelled: LabelledImages | None,
        settings: OptimizeSettings,
        progress: SearchProgress,
    ) -> None:
        self.variants, self.journal, self.settings = variants, journal, settings
        self._timer, self._labelled, self._progress = timer, labelled, progress
        self._begin, self._done, self.remaining = time.monotonic(), 0.0, 0.0
        original = variants.original
        _, height, width = original.input_shape
        self.native = width, height
        self._expected = detections(original, "f32", None, variants.held_back(width, height), threads=settings.workers)
        first = Candidate(width, height, ORIGINAL, "f32")
        known = journal.found.get(first)
        self._reference = known.milliseconds if known else timer.milliseconds
        self.original = self.measure(first)

    @property
    def measurements(self) -> list[Measurement]:
        """All so far."""
        return list(self.journal.found.values())

    @property
    def expired(self) -> bool:
        """Whether nothing new may be made."""
        return time.monotonic() - self._begin > 60 * self.settings.minutes

    def allows(self, candidate: Candidate) -> bool:
        """Whether a candidate is measured already, or may still be."""
        return candidate in self.journal.found or self.variants.is_made(candidate) or not self.expired

    def measure(self, candidate: Candidate) -> Measurement:
        """Time and quality of a candidate."""
        weight = WEIGHTS["measure"]
        if candidate not in self.journal.found:
            if not self.variants.is_made(candidate):
                weight += WEIGHTS["decompose" if candidate.precision not in ("mixed", "int8") else "quantize"]
            self._report(str(candidate), 0.0)
            variant = self.variants.variant(
                candidate, report=lambda what, share: self._report(f"{candidate}: {what}", weight * share)
            )
            self.journal.add(self._measured(candidate, variant))
        self._done += weight
        self._progress(str(candidate), self._share(0.0), self.journal.found[candidate])
        return self.journal.found[candidate]

    def shortest(self, width: int, height: int, precision: str) -> float:
        """Share of the network's time that the fastest forms take, by the model of the planner."""
        self._report(f"{width}x{height}: timing forms", 0.0)
        planner = self.variants.planner(width, height)
        return planner.minimum(precision) / planner.whole(precision)

    def _measured(self, candidate: Candidate, variant: Variant) -> Measurement:
        precision, threads = ENGINE_PRECISIONS[candidate.precision], self.settings.workers
        network, quantization = variant.network, variant.quantization
        images = self.variants.held_back(candidate.width, candidate.height)
        found = detections(network, precision, quantization, images, threads=threads)
        labelled = self._labelled
        return Measurement(
            candidate=candidate,
            milliseconds=self._reference * self._timer.ratio(network, precision, quantization),
            agreement=agreement(self._expected, found),
            mean_ap=labelled.mean_ap(network, precision, quantization, threads=threads) if labelled else None,
            multiply_adds=network.multiply_adds,
        )

    def _report(self, what: str, done: float) -> None:
        self._progress(what, self._share(done), None)

    def _share(self, done: float) -> float:
        total = self._done + done + self.remaining
        return (self._done + done) / max(total, 1e-9)
