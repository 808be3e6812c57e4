"""A plan for display: one entry per operation, and how long each takes."""

from collections.abc import Callable, Sequence
from time import perf_counter

from yolodsc.arrays import Shape
from yolodsc.values import Value


class PlanEntry(Value, kw_only=True):
    """One operation of a runner.

    Attributes
    ----------
    layers
        Indices of the layers that it computes.
    shape
        Of its output: that of the last layer.
    layout
        ``c16``: blocks of 16 channels; ``planar``.
    tile
        Pixels x vectors x lanes of each product, pixels x lanes of a depthwise convolution.
    macs
        Multiplications with accumulation.
    bytes
        Read and written, weights included.
    precision
        Of its products; of an operation without products, of the numbers that it writes.
    run
        Runs it once more on the data of the last call.
    """

    name: str
    layers: tuple[int, ...]
    shape: Shape
    layout: str
    tile: str
    macs: int
    bytes: int
    run: Callable[[], None]
    precision: str = "f32"


def seconds_of(entries: Sequence[PlanEntry], whole: Callable[[], object], *, rounds: int) -> tuple[list[float], float]:
    """Seconds of each operation by itself and of a ``whole`` call: medians over ``rounds``, each of which runs all in order."""
    from statistics import median

    taken: list[list[float]] = [[] for _ in range(len(entries) + 1)]
    runs = [*(entry.run for entry in entries), whole]
    whole()
    for _ in range(rounds):
        for run, times in zip(runs, taken, strict=True):
            start = perf_counter()
            run()
            times.append(perf_counter() - start)
    *each, total = map(median, taken)
    return each, total
