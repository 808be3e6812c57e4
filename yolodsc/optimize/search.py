"""The search: originals at all sizes and precisions first, then decompositions where they can still win.

A decomposed network is no better than the original at its size, and no faster than its fastest forms. Sizes for which these limits
exclude a gain are left out, so that most of the time goes into sizes and budgets near the answer.
"""

from collections.abc import Sequence
from typing import Protocol

from yolodsc.errors import CfgError
from yolodsc.network import Network
from yolodsc.optimize.evaluator import WEIGHTS
from yolodsc.optimize.measurement import ORIGINAL, Candidate, Measurement, PrecisionKind, best_within, fastest_of
from yolodsc.optimize.settings import OptimizeSettings

AREAS = (1.0, 0.81, 0.64, 0.5, 0.39, 0.3, 0.23)
"""Numbers of input pixels that are tried, relative to the network's own."""

FIRST_SHARE = 0.7
"""Share of the time of the original for which a network is decomposed first."""

ROUNDS = 3
"""Decompositions for each size."""

ALONE = (0.75, 0.55)
"""Shares of the time for which the baseline is decomposed: at full size, in float32."""

GAIN = 0.97
"""Share of the best time so far below which a decomposition is worth its fit."""

TRAINED_GAIN = 0.08
"""Share of the quality that fine-tuning is expected to bring back."""


class Measures(Protocol):
    """What the search needs of an `CandidateEvaluator`."""

    original: Measurement
    remaining: float

    @property
    def measurements(self) -> list[Measurement]:
        """All so far."""
        ...

    def allows(self, candidate: Candidate) -> bool:
        """Whether there is time for a candidate."""
        ...

    def measure(self, candidate: Candidate) -> Measurement:
        """Time and quality of a candidate."""
        ...

    def shortest(self, width: int, height: int, precision: str) -> float:
        """Share of the original's time at this size that its fastest forms take."""
        ...


def input_sizes(network: Network) -> list[tuple[int, int]]:
    """Widths and heights to try, the network's own first; only that where arrays depend on the size."""
    _, height, width = network.input_shape
    found = [(width, height)]
    step = stride(network)
    for area in AREAS[1:]:
        sides = tuple(max(round(side * area**0.5 / step), 2) * step for side in (width, height))
        if (sides[0], sides[1]) in found:
            continue
        try:
            network.resized(sides[1], sides[0])
        except CfgError:
            return found
        found.append((sides[0], sides[1]))
    return found


def stride(network: Network) -> int:
    """Input pixels for each pixel of the smallest feature map: sides are multiples of it."""
    _, height, _ = network.input_shape
    smallest = min((layer.shape.height for layer in network.layers if layer.shape.height > 1), default=height)
    return max(round(height / smallest), 1)


class Search:
    """A search over sizes, forms and precisions.

    Parameters
    ----------
    sizes
        Widths and heights, the network's own first.
    """

    def __init__(self, measures: Measures, sizes: Sequence[tuple[int, int]], settings: OptimizeSettings) -> None:
        self.measures, self.sizes, self.settings = measures, sizes, settings

    @property
    def threshold(self) -> float | None:
        """Quality that the network must keep, if a quality is the goal."""
        return None if self.settings.keep is None else self.settings.keep * self.measures.original.quality

    @property
    def _enough(self) -> float | None:
        """Quality that a decomposed network must have: what fine-tuning brings back may be missing, if it follows."""
        missing = TRAINED_GAIN if self.settings.epochs else 0.0
        return None if self.threshold is None else self.threshold - missing * self.measures.original.quality

    def run(self) -> None:
        """Measure candidates until no size is left that can win, or the time is over."""
        kinds: list[PrecisionKind] = ["f32", *(p for p in self.settings.precisions if p != "f32")]
        fit, alone = WEIGHTS["decompose"] + WEIGHTS["quantize"], len(ALONE) * WEIGHTS["decompose"]
        for number, size in enumerate(self.sizes):
            self.measures.remaining = (len(self.sizes) - number) * len(kinds) * WEIGHTS["measure"] + ROUNDS * fit + alone
            for precision in kinds:
                self._measure(Candidate(*size, ORIGINAL, precision))
        promising = self._promising()
        for number, size in enumerate(promising):
            self.measures.remaining = (len(promising) - number) * ROUNDS * fit + alone
            self._decompose(size)
        self.measures.remaining = alone
        for share in ALONE:
            self._alone(share)
        self.measures.remaining = 0.0

    def chosen(self) -> tuple[Measurement, bool]:
        """The best measurement for the goal, and whether it reaches the goal."""
        found, threshold = self._allowed(), self.threshold
        if threshold is not None:
            fastest = fastest_of(found, threshold)
            return (fastest, True) if fastest else (max(found, key=lambda m: m.quality), False)
        best = best_within(found, self.settings.budget_ms or 0.0)
        return (best, True) if best else (min(found, key=lambda m: m.milliseconds), False)

    def to_train(self) -> Measurement | None:
        """The decomposed network from which fine-tuning starts; None if no network was decomposed."""
        found = [m for m in self._allowed() if m.candidate.form != ORIGINAL and not m.candidate.trained]
        if self.threshold is None:
            return best_within(found, self.settings.budget_ms or 0.0)
        return fastest_of(found, self.threshold - TRAINED_GAIN * self.measures.original.quality) or max(
            found, key=lambda m: m.quality, default=None
        )

    def _allowed(self) -> list[Measurement]:
        return [m for m in self.measures.measurements if m.candidate.precision in self.settings.precisions]

    def _promising(self) -> list[tuple[int, int]]:
        """Sizes at which a decomposition could win: with a budget the best ones first, else the fastest ones."""
        limit, useful = self._enough, []
        for size in self.sizes:
            best = max(self._originals(size), key=lambda m: m.quality)
            if limit is None or best.quality >= limit:
                useful.append((size, best))
        if limit is None:
            return [size for size, _ in sorted(useful, key=lambda pair: -pair[1].quality)]
        return [size for size, _ in sorted(useful, key=lambda pair: pair[1].milliseconds)]

    def _originals(self, size: tuple[int, int]) -> list[Measurement]:
        return [
            m for m in self._allowed_or_all() if (m.candidate.width, m.candidate.height) == size and m.candidate.form == ORIGINAL
        ]

    def _allowed_or_all(self) -> list[Measurement]:
        return self._allowed() or self.measures.measurements

    def _decompose(self, size: tuple[int, int]) -> None:
        """Decompositions at one size: by bisection of the time, or for the budget."""
        fastest = min(self._originals(size), key=lambda m: m.milliseconds)
        best, _ = self.chosen()
        if self.threshold is None and self._cannot_improve(size, best):
            return
        if not self.measures.allows(self._plan(size, FIRST_SHARE)[0]):
            return
        shortest = self.measures.shortest(*size, self._target)
        if self.threshold is None:
            self._within_budget(size, shortest, fastest.milliseconds)
        elif shortest * fastest.milliseconds < GAIN * best.milliseconds:
            self._bisect(size, shortest)

    def _cannot_improve(self, size: tuple[int, int], best: Measurement) -> bool:
        """Whether the best original at a size fits the budget, or is no better than what fits it."""
        originals, budget = self._originals(size), self.settings.budget_ms or 0.0
        fitting = [m for m in originals if m.milliseconds <= budget]
        top = max(m.quality for m in originals)
        return any(m.quality >= top for m in fitting) or (best.milliseconds <= budget and top <= best.quality)

    def _bisect(self, size: tuple[int, int], shortest: float) -> None:
        """Networks for shares of the time between the shortest and all of it, towards the one that just keeps the quality."""
        low, high, share = shortest, 1.0, max(FIRST_SHARE, (shortest + 1) / 2)
        for _ in range(ROUNDS):
            share = max(share, shortest + 0.002)
            found = self._measure_plan(size, share)
            if not found:
                return
            kept = fastest_of(found, self._enough or 0.0)
            low, high = (low, share) if kept else (share, high)
            self.measures.remaining = max(self.measures.remaining - WEIGHTS["decompose"] - WEIGHTS["quantize"], 0.0)
            share = (low + high) / 2
            best, _ = self.chosen()
            fastest = min(m.milliseconds for m in self._originals(size))
            if share * fastest > best.milliseconds:
                return

    def _within_budget(self, size: tuple[int, int], shortest: float, milliseconds: float) -> None:
        """A network for the budget; once more if it takes longer than its plan says."""
        budget = self.settings.budget_ms or 0.0
        share = min(budget / milliseconds, 0.95)
        for _ in range(2):
            if share < shortest:
                return
            found = self._measure_plan(size, share)
            if not found or (taken := min(m.milliseconds for m in found)) <= budget:
                return
            share *= 0.98 * budget / taken

    def _alone(self, share: float) -> None:
        """The baseline: decomposed at full size, for float32."""
        candidate = Candidate(*self.sizes[0], f"f32-{share:.3f}", "f32")
        if self.measures.allows(candidate) and self.measures.shortest(*self.sizes[0], "f32") < share:
            self.measures.measure(candidate)

    def _measure_plan(self, size: tuple[int, int], share: float) -> list[Measurement]:
        return [m for candidate in self._plan(size, share) if (m := self._measure(candidate))]

    def _plan(self, size: tuple[int, int], share: float) -> list[Candidate]:
        """A decomposition in the precisions for which it is made."""
        kinds: dict[str, Sequence[PrecisionKind]] = {"int8": ("int8", "mixed"), "bf16": ("bf16",), "f32": ("f32",)}
        target = self._target
        kinds_used = [p for p in kinds[target] if p in self.settings.precisions]
        return [Candidate(*size, f"{target}-{share:.3f}", precision) for precision in kinds_used]

    @property
    def _target(self) -> str:
        """Precision in which forms are timed for the plan."""
        chosen = self.settings.precisions
        return "int8" if {"int8", "mixed"} & set(chosen) else "bf16" if "bf16" in chosen else "f32"

    def _measure(self, candidate: Candidate) -> Measurement | None:
        return self.measures.measure(candidate) if self.measures.allows(candidate) else None
