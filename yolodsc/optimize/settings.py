"""Settings and results of an optimization."""

from math import inf

from yolodsc.errors import OptionError
from yolodsc.network import Network
from yolodsc.optimize.measurement import KINDS, Measurement, PrecisionKind
from yolodsc.precision import Quantization
from yolodsc.values import Value


class OptimizeSettings(Value, kw_only=True):
    """What is searched, and how thoroughly.

    Attributes
    ----------
    budget_ms
        Milliseconds of one image: the best network within them is chosen.
    keep
        Share of the original's quality: the fastest network that keeps it is chosen. One of both is given.
    precisions
        In which the network may run.
    epochs
        Of fine-tuning with the original as teacher; 0 trains nothing.
    minutes
        After which nothing new is decomposed or quantized; fine-tuning comes on top.
    held_back
        Share of the images that nothing is fitted on; agreement is measured on them.
    threads
        Threads for one image, with which the networks are timed.
    workers
        Threads of fits and of runs over many images; they do not change the result.
    """

    budget_ms: float | None = None
    keep: float | None = None
    precisions: tuple[PrecisionKind, ...] = KINDS
    epochs: float = 0.0
    minutes: float = 18.0
    held_back: float = 0.2
    seed: int = 0
    threads: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        if (self.budget_ms is None) == (self.keep is None):
            raise OptionError("budget_ms and keep: expected one of both")
        if self.budget_ms is not None and not 0 < self.budget_ms < inf:
            raise OptionError(f"budget_ms={self.budget_ms:g}: expected more than 0", parameter="budget_ms")
        if self.keep is not None and not 0 < self.keep <= 1:
            raise OptionError(f"keep={self.keep:g}: expected more than 0, up to 1", parameter="keep")
        if not 0 <= self.epochs < inf:
            raise OptionError(f"epochs={self.epochs:g}: expected 0 or more", parameter="epochs")
        if not 0 < self.minutes < inf:
            raise OptionError(f"minutes={self.minutes:g}: expected more than 0", parameter="minutes")


class Optimization(Value, eq=False, kw_only=True):
    """The chosen network, and everything that was measured.

    Attributes
    ----------
    network, quantization
        In float32, and where it runs in int8, how.
    chosen
        Its measurement.
    original
        That of the original in float32.
    measurements
        All, in the order of the search.
    others
        Milliseconds of the chosen network by engine and precision, ours first.
    reached
        Whether the chosen network is within the budget, or keeps the quality.
    """

    network: Network
    quantization: Quantization | None
    chosen: Measurement
    original: Measurement
    measurements: tuple[Measurement, ...]
    reached: bool
    settings: OptimizeSettings
    seconds: float
