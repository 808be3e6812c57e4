"""Measures the claim of the FastDSC paper: times one separable network by three methods, by layer and in total, on one thread.

``DSC`` copies the input of every pointwise convolution with im2col before its matrix product, as Darknet does. ``FastDSC``
(Yoo, Choi, Choi 2018) omits the copy. Both share depthwise kernel and buffers, so that the copy is the only difference. ``fused``
is the engine. A round runs each method once, in random order; times are medians over rounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array, Shape
from yolodsc.bench.subject import benchmark_image, head_inputs
from yolodsc.bench.timing import MIN_ROUNDS, ProgressCallback, silent
from yolodsc.engine import FastDscRunner, PlanEntry, Runner
from yolodsc.network import ConvolutionalLayer, Layer, Network

Times = dict[int, float]
"""Seconds by the last layer of each timed operation; the total is under `WHOLE`."""

WHOLE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """A depthwise or pointwise layer; ``fused_ms`` is None if the time of a later row includes it.

    Attributes
    ----------
    fused_layers
        All layers that ``fused_ms`` covers.
    """

    layer: int
    kind: str
    shape: Shape
    multiply_adds: int
    dsc_ms: float
    fastdsc_ms: float
    fused_ms: float | None
    fused_layers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Rows of the separable layers, and totals of the whole network, input and output included."""

    model: str
    rows: tuple[AblationRow, ...]
    dsc_ms: float
    fastdsc_ms: float
    fused_ms: float


def ablate(model: str, network: Network, *, seconds: float, seed: int, progress: ProgressCallback = silent) -> Ablation:
    """Time the three methods on one network for about ``seconds``."""
    outputs = head_inputs(network)
    x = benchmark_image(network.input_shape)
    rng = np.random.default_rng(seed)
    with (
        engine.single_threaded_blas(),
        FastDscRunner(network, threads=1, outputs=outputs, pointwise="im2col") as dsc,
        FastDscRunner(network, threads=1, outputs=outputs) as fastdsc,
        engine.compile(network, 1, outputs) as fused,
    ):
        entries = [entry for entry in fused.entries() if entry.layers]
        methods: dict[str, Callable[[], Times]] = {
            "dsc": lambda: _time_layers(dsc, x),
            "fastdsc": lambda: _time_layers(fastdsc, x),
            "fused": lambda: _time_fused(fused, entries, x),
        }
        times: dict[str, list[Times]] = {method: [] for method in methods}
        for method in methods.values():  # fills caches
            method()
        begin = perf_counter()
        while len(times["dsc"]) < MIN_ROUNDS or perf_counter() < begin + seconds:
            progress(model, min((perf_counter() - begin) / max(seconds, 1e-9), len(times["dsc"]) / MIN_ROUNDS, 1.0))
            for name in map(str, rng.permutation(list(methods))):
                times[name].append(methods[name]())
    typical = {method: _medians(taken) for method, taken in times.items()}
    rows = [_row(layer, typical, _covers(entries)) for layer in network.layers if _kind(layer) and layer.index in typical["dsc"]]
    totals = {f"{method}_ms": taken[WHOLE] for method, taken in typical.items()}
    return Ablation(model=model, rows=tuple(rows), **totals)


def _kind(layer: Layer) -> str:
    if not isinstance(layer, ConvolutionalLayer):
        return ""
    return "depthwise" if layer.depthwise else "pointwise" if layer.pointwise else ""


def _row(layer: Layer, times: dict[str, Times], covers: dict[int, tuple[int, ...]]) -> AblationRow:
    return AblationRow(
        layer=layer.index,
        kind=_kind(layer),
        shape=layer.shape,
        multiply_adds=layer.multiply_adds(),
        dsc_ms=times["dsc"][layer.index],
        fastdsc_ms=times["fastdsc"][layer.index],
        fused_ms=times["fused"].get(layer.index),
        fused_layers=covers.get(layer.index, ()),
    )


def _time_layers(runner: FastDscRunner, x: Array) -> Times:
    """Time a whole run, and then each layer alone."""
    start = perf_counter()
    runner(x)
    times = {WHOLE: perf_counter() - start}
    with np.errstate(all="ignore"):
        for index, run_layer in runner.steps():
            start = perf_counter()
            run_layer()
            times[index] = perf_counter() - start
    return times


def _time_fused(runner: Runner, entries: Sequence[PlanEntry], x: Array) -> Times:
    """Time a whole run, and then each operation alone, in order, on the buffers that the run has filled."""
    start = perf_counter()
    runner(x)
    times = {WHOLE: perf_counter() - start}
    for entry in entries:
        start = perf_counter()
        entry.run()
        taken = perf_counter() - start
        times[entry.layers[-1]] = times.get(entry.layers[-1], 0.0) + taken
    return times


def _covers(entries: Sequence[PlanEntry]) -> dict[int, tuple[int, ...]]:
    """Layers of each operation, by the last of them."""
    covers: dict[int, tuple[int, ...]] = {}
    for entry in entries:
        last = entry.layers[-1]
        covers[last] = tuple(sorted({*covers.get(last, ()), *entry.layers}))
    return covers


def _medians(taken: list[Times]) -> Times:
    return {index: 1000 * median(times[index] for times in taken) for index in taken[0]}
