"""Mixed precision: which layers run in bf16 instead of int8, by the error that each tensor of bytes causes at the heads.

The squared errors of single tensors nearly add up (rss .149 where all together give .153, Yolo-Fastest 1.1), so the best set of
layers for any budget is a prefix of the layers in descending order of error removed per unit of cost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from yolodsc.errors import QuantizationError
from yolodsc.network import Network
from yolodsc.precision import Precision, Quantization, byte_tensors, sources
from yolodsc.quantize.agreement import Original
from yolodsc.quantize.settings import QuantizeSettings
from yolodsc.quantize.time_model import milliseconds

BYTES_PER_MAC = 40.0
"""Cost of an element that is stored in more than a byte, in multiply-adds."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """A group of tensors with one scale, and the error at the heads if only these are rounded to bytes."""

    tensors: frozenset[int]
    error: float


def mixed_precision(
    network: Network, everything: Quantization, errors: Sequence[TensorError], original: Original, settings: QuantizeSettings
) -> Quantization:
    """The quantization with the layers in bf16 that the budget allows or the agreement needs."""
    sets = ranked(network, everything, errors)
    if settings.budget_ms is not None:
        budget = settings.budget_ms

        def too_slow(layers: frozenset[int]) -> bool:
            return milliseconds(network, without(network, everything, layers), threads=settings.threads) > budget

        if too_slow(frozenset()):
            raise QuantizationError(f"budget_ms={budget:g}: the network takes more with all layers in int8")
        slow = [number for number in range(1, len(sets) + 1) if too_slow(frozenset().union(*sets[:number]))][:1]
        return without(network, everything, frozenset().union(*sets[: slow[0] - 1 if slow else len(sets)]))

    def agrees(layers: frozenset[int]) -> bool:
        return original.f1(original.agreement(network, without(network, everything, layers))) >= settings.keep_agreement

    if not network.heads:
        return everything
    allowed = allowed_prefix(network, sets, everything.weights, settings.max_bf16_share)
    return without(network, everything, shortest_prefix(sets, agrees, allowed))


def tensor_errors(
    network: Network, quantization: Quantization, original: Original, images: Sequence[int], report: Callable[[float], None]
) -> list[TensorError]:
    """The error of each group of tensors alone, on a few images."""
    groups, found = byte_tensors(network, list(quantization.weights)), []
    for number, group in enumerate(groups):
        alone = Quantization({}, {index: quantization.scales[index] for index in group}, {})
        found.append(TensorError(group, original.error(network, alone, images, simulated=True)))
        report((number + 1) / len(groups))
    return found


def ranked(network: Network, quantization: Quantization, errors: Sequence[TensorError]) -> list[frozenset[int]]:
    """Sets of layers to run in bf16: in each, those that read one group of tensors; the most rewarding first."""
    readers: dict[frozenset[int], frozenset[int]] = {}
    for error in errors:
        readers[error.tensors] = frozenset(i for i in quantization.weights if sources(network, i)[0] in error.tensors)
    order = sorted(errors, key=lambda e: -(e.error**2) / _cost(network, readers[e.tensors]))
    return [readers[e.tensors] for e in order]


def without(network: Network, quantization: Quantization, layers: frozenset[int]) -> Quantization:
    """The same quantization with some layers in bf16; tensors that no int8 layer reads are not stored in bytes."""
    weights = {index: arrays for index, arrays in quantization.weights.items() if index not in layers}
    needed = {index for group in byte_tensors(network, list(weights)) for index in group}
    scales = {index: scale for index, scale in quantization.scales.items() if index in needed}
    precisions: dict[int, Precision] = {index: "int8" if index in weights else "bf16" for index in quantization.weights}
    return replace(quantization, layers=precisions, scales=scales, weights=weights)


def shortest_prefix(sets: Sequence[frozenset[int]], enough: Callable[[frozenset[int]], bool], allowed: int) -> frozenset[int]:
    """Union of the fewest leading sets that are enough, by bisection; of the ``allowed`` first if none is."""
    low, high = 0, allowed
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(_union(sets[:middle])) else (middle + 1, high)
    return _union(sets[: min(low, allowed)])


def allowed_prefix(network: Network, sets: Sequence[frozenset[int]], int8: Mapping[int, object], share: float) -> int:
    """How many leading sets together have at most a share of the multiplications of the int8 layers."""
    total = sum(network.layers[i].multiply_adds() for i in int8)
    count = 0
    while count < len(sets) and sum(network.layers[i].multiply_adds() for i in _union(sets[: count + 1])) <= share * total:
        count += 1
    return count


def _union(sets: Sequence[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets)


def _cost(network: Network, layers: frozenset[int]) -> float:
    """Multiply-adds of layers, and their inputs, which are no bytes."""
    return sum(network.layers[i].multiply_adds() + BYTES_PER_MAC * network.layers[i].inputs[0].size for i in layers) + 1.0
