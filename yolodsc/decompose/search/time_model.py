"""Cost in milliseconds of networks, and of every form of every convolution, measured on the engine."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose.search.blank import blank_chain
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.surgery import assemble
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.network import INPUT_INDEX, Network
from yolodsc.precision import Quantization, byte_tensors, int8_candidates, quantization_of_ranges
from yolodsc.values import Value

ROUNDS = 9
OPERATION_ROUNDS = 15

NOMINAL_RANGE = (0.0, 6.0)
"""Range of all tensors where int8 is timed before there is a calibration; the time does not depend on it."""


class FormCosts(Value, eq=False):
    """Milliseconds of every form of each convolution, by layer index, and of everything else in the network.

    Operations that follow a convolution, such as a pool that is computed together with it, count for the convolution. What pruning
    saves in the layer before counts for the pruned layer, so a form may have less than no time.
    """

    layers: Mapping[int, Mapping[FactorizationChoice, float]]
    rest: float

    @property
    def minimum(self) -> float:
        """Milliseconds of the network with the cheapest form of every convolution."""
        return self.rest + sum(min(options.values()) for options in self.layers.values())

    def total(self, selected: Mapping[int, FactorizationChoice]) -> float:
        """Milliseconds of the network with these forms."""
        return self.rest + sum(costs[selected[i]] for i, costs in self.layers.items())


class Timer:
    """Measures times with a number of threads and a precision; the minimum over rounds excludes most interference."""

    def __init__(self, threads: int, precision: str = "f32") -> None:
        self.threads, self.precision = threads, precision

    def network(self, network: Network) -> float:
        """Milliseconds for one image, heads not decoded."""
        image = np.full(network.input_shape, 0.5, np.float32)
        clock = clock_of(self.threads)
        with self._compiled(network) as runner:
            runner(image)
            return 1000 * min(_seconds(clock, lambda: runner(image)) for _ in range(ROUNDS))

    def costs(
        self,
        network: Network,
        targets: Mapping[int, DecompositionTarget],
        offered: Mapping[int, Sequence[FactorizationChoice]],
    ) -> FormCosts:
        """Time every offered form inside the network: one network has the first form of every layer, the next the second.

        Forms are timed with the layers around them, so that conversions between number formats and layouts are included.
        """
        layers: dict[int, dict[FactorizationChoice, float]] = {i: {} for i in offered}
        rest: list[float] = []
        alone = {i: [c for c in choices if c.method != "prune"] for i, choices in offered.items()}
        for number in range(max((len(choices) for choices in alone.values()), default=0)):
            selected = {i: choices[min(number, len(choices) - 1)] for i, choices in alone.items()}
            times = self._operations(network, targets, selected)
            for i, choice in selected.items():
                layers[i][choice] = min(times.get(i, 0.0), layers[i].get(choice, np.inf))
            rest.append(times.get(INPUT_INDEX, 0.0))
        for selected in _pruning_rounds(targets, offered):
            times = self._operations(network, targets, dict.fromkeys(offered, KEEP) | selected)
            for i, choice in selected.items():
                layers[i][choice] = times.get(i, 0.0) - _saved(targets[i].producer, layers, times)
        return FormCosts(layers, min(rest, default=0.0))

    def _operations(
        self, network: Network, targets: Mapping[int, DecompositionTarget], selected: Mapping[int, FactorizationChoice]
    ) -> dict[int, float]:
        """Milliseconds of the operations of each target, and of all before the first as those of the input."""
        chains = {i: blank_chain(targets[i], choice) for i, choice in selected.items()}
        lengths = [len(chains[layer.index].stages) if layer.index in chains else 1 for layer in network.layers]
        owners = _owners(lengths, selected)
        assembled = assemble(network, chains)
        image = np.full(network.input_shape, 0.5, np.float32)
        found: dict[int, float] = {}
        with self._compiled(assembled) as runner:
            entries = runner.entries()
            for entry, seconds in zip(entries, _fastest(runner, image, clock_of(self.threads)), strict=True):
                owner = owners[max(min(entry.layers), 0)]  # packing the image counts for what reads it
                found[owner] = found.get(owner, 0.0) + 1000 * seconds
        return found

    def _compiled(self, network: Network) -> engine.Runner:
        quantization = nominal_quantization(network) if self.precision == "int8" else None
        return engine.compile(network, threads=self.threads, precision=self.precision, quantization=quantization)


def _pruning_rounds(
    targets: Mapping[int, DecompositionTarget], offered: Mapping[int, Sequence[FactorizationChoice]]
) -> Iterator[dict[int, FactorizationChoice]]:
    """Pruned layers to time at once: never a layer together with the producer of its input."""
    odd: dict[int, bool] = {}
    for i in sorted(offered):
        producer = targets[i].producer
        odd[i] = producer is not None and not odd.get(producer, True)
    pruned = {i: [c for c in choices if c.method == "prune"] for i, choices in offered.items()}
    for number in range(max((len(choices) for choices in pruned.values()), default=0)):
        for side in (False, True):
            selected = {i: choices[number] for i, choices in pruned.items() if number < len(choices) and odd[i] == side}
            if selected:
                yield selected


def _saved(producer: int | None, layers: Mapping[int, Mapping[FactorizationChoice, float]], times: Mapping[int, float]) -> float:
    """Milliseconds that a layer is faster without the filters that are not read; 0 if it is not timed by itself."""
    if producer is None or producer not in layers:
        return 0.0
    return max(layers[producer][KEEP] - times.get(producer, 0.0), 0.0)


def nominal_quantization(network: Network) -> Quantization:
    """A quantization that has the speed of a calibrated one, with all layers in int8."""
    int8 = int8_candidates(network)
    ranges = {index: NOMINAL_RANGE for group in byte_tensors(network, int8) for index in group}
    return quantization_of_ranges(network, int8, ranges)


def _owners(lengths: Sequence[int], targets: Mapping[int, object]) -> list[int]:
    """For each new layer, the target that its operations count for: the last one up to it."""
    owners, current = [], INPUT_INDEX
    for index, length in enumerate(lengths):
        current = index if index in targets else current
        owners += [current] * length
    return owners


def clock_of(threads: int) -> Callable[[], float]:
    """The clock for runs with a number of threads: with one, that of the calling thread, which other programs do not lengthen."""
    return time.thread_time if threads == 1 else time.perf_counter


def _fastest(runner: engine.Runner, image: Array, clock: Callable[[], float]) -> list[float]:
    """Seconds of each operation: minima over rounds, each of which runs all operations in order.

    A call of one operation costs more than the operation within a whole run, up to 40 us. The difference to the whole run is
    therefore subtracted in equal parts; otherwise chains of small operations would seem slow.
    """
    runner(image)
    runs = [entry.run for entry in runner.entries()]
    rounds = [[_seconds(clock, run) for run in [*runs, lambda: runner(image)]] for _ in range(OPERATION_ROUNDS)]
    *each, whole = (min(times) for times in zip(*rounds, strict=True))
    overhead = max(sum(each) - whole, 0.0) / max(len(each), 1)
    return [max(seconds - overhead, 0.1 * seconds) for seconds in each]


def _seconds(clock: Callable[[], float], run: Callable[[], object]) -> float:
    begin = clock()
    run()
    return clock() - begin
