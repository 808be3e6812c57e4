"""Settings and results of a decomposition."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from yolodsc.decompose.search.choices import METHODS, PAPER, FactorizationChoice, Method
from yolodsc.errors import DecompositionError
from yolodsc.network import Network
from yolodsc.precision import PRECISIONS, Precision

ProgressCallback = Callable[[str, float], None]
"""Called with a description of the current stage and the share of the work that is done."""

MAX_RANK = 100
"""Maximum number of filters per channel; the rank of a K x K kernel is at most K²."""


def held_back_count(images: int, share: float) -> int:
    """How many of ``images`` images nothing is fitted on: a share of them, at least one."""
    return max(1, round(images * share))


@dataclass(frozen=True, slots=True)
class DecomposeSettings:
    """How to decompose a network.

    Attributes
    ----------
    method
        ``auto``, or one form for every layer.
    rank
        Filters per channel; for ``pdp`` and ``channel`` the number of components with the cost of that rank.
    budget
        For ``auto``: share of the network's multiplications.
    budget_ms
        For ``auto``, instead of ``budget``: milliseconds of the network on the engine with ``threads`` threads, in ``precision``.
    precision
        Precision in which forms are timed for ``budget_ms``: ``f32``, ``bf16`` or ``int8``.
    keep
        Indices of layers that are not decomposed.
    patches
        Sample positions per image. The paper's 10 over-fit layers of 128 channels by 3 %.
    refine
        Iterations of refinement; 0 for none. The paper's methods are never refined.
    held_back
        Share of the images that are not fitted on and measure errors only.
    """

    method: Method | str = "auto"
    rank: float = 1.0
    budget: float = 0.25
    budget_ms: float | None = None
    precision: Precision = "f32"
    keep: tuple[int, ...] = ()
    patches: int = 100
    refine: int = 40
    held_back: float = 0.1
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.method != "auto" and self.method not in METHODS:
            raise DecompositionError(f"method {self.method} is unknown; expected auto, {', '.join(METHODS)}")
        if not 0 < self.budget <= 1:
            raise DecompositionError(f"budget of {self.budget:g}; expected a share of the multiplications in (0, 1]")
        if not 0 < self.rank <= MAX_RANK:
            raise DecompositionError(f"rank {self.rank:g}; expected more than 0, up to {MAX_RANK}")
        if self.budget_ms is not None and not 0 < self.budget_ms < inf:
            raise DecompositionError(f"budget of {self.budget_ms:g} ms; expected more than 0")
        if self.precision not in PRECISIONS:
            raise DecompositionError(f"precision {self.precision} is unknown; expected {', '.join(PRECISIONS)}")

    def calibration_count(self, images: int) -> int:
        """How many of ``images`` images are fitted on; the others are held back."""
        return images - held_back_count(images, self.held_back)

    @property
    def ours(self) -> bool:
        """Whether kept layers are solved again and forms are refined: with all methods but the paper's."""
        return self.method not in PAPER

    @property
    def asymmetric(self) -> bool:
        """Whether patches come from the partly decomposed network: not in Algorithms 1 and 2, nor without data."""
        return self.method not in {"weights", "paper-plain", "paper-compensated"}


@dataclass(frozen=True, slots=True)
class LayerResult:
    """Result for one convolution.

    ``error`` is ||Y - Y'|| / ||Y|| before the activation, on the calibration images; ``held_back`` the same on
    the held-back images. Costs are (before, after) pairs; ``reason`` explains why a layer was not decomposed.
    """

    index: int
    choice: FactorizationChoice
    multiply_adds: tuple[int, int]
    parameters: tuple[int, int]
    error: float = 0.0
    held_back: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """The decomposed network, and the results by layer.

    ``output_error`` is ||O - O'|| / ||O - mean|| over the inputs of the heads, on the held-back images.
    """

    network: Network
    layers: tuple[LayerResult, ...]
    output_error: float
    settings: DecomposeSettings
    seconds: float
