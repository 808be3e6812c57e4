"""Mixed precision: which layers stay in float32, by the error that each tensor of bytes causes at the heads.

The squared errors of single tensors nearly add up (rss .149 where all together give .153, Yolo-Fastest 1.1), so the best set of
layers for any budget is a prefix of the layers in descending order of error removed per unit of cost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from yolodsc.network import Network
from yolodsc.precision import Quantization, byte_tensors, sources
from yolodsc.quantize.agreement import Original

BYTES_PER_MAC = 40.0
"""Cost of an element that is stored in float32 instead of bytes, in multiply-adds."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """A group of tensors with one scale, and the error at the heads if only these are rounded to bytes."""

    tensors: frozenset[int]
    error: float


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
    """Sets of layers to keep in float32: in each, those that read one group of tensors; the most rewarding first."""
    readers: dict[frozenset[int], frozenset[int]] = {}
    for error in errors:
        readers[error.tensors] = frozenset(i for i in quantization.weights if sources(network, i)[0] in error.tensors)
    order = sorted(errors, key=lambda e: -(e.error**2) / _cost(network, readers[e.tensors]))
    return [readers[e.tensors] for e in order]


def without(network: Network, quantization: Quantization, layers: frozenset[int]) -> Quantization:
    """The same quantization with some layers in float32; tensors that no int8 layer reads are stored in float32."""
    weights = {index: arrays for index, arrays in quantization.weights.items() if index not in layers}
    needed = {index for group in byte_tensors(network, list(weights)) for index in group}
    scales = {index: scale for index, scale in quantization.scales.items() if index in needed}
    return replace(quantization, layers=dict.fromkeys(weights, "int8"), scales=scales, weights=weights)


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
    """Multiply-adds of layers, and their inputs, which are read in float32."""
    return sum(network.layers[i].multiply_adds() + BYTES_PER_MAC * network.layers[i].inputs[0].size for i in layers) + 1.0
