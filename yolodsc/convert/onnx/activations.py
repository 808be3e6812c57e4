"""Darknet's activations as ONNX operations; `yolodsc.network.reference.activations` defines them."""

from collections.abc import Callable

from yolodsc.convert.onnx.graph import Graph


def activated(graph: Graph, x: str, activation: str) -> str:
    """``x`` (N, C, …) through the named activation."""
    return ACTIVATIONS[activation](graph, x)


def _loggy(graph: Graph, x: str) -> str:
    doubled = graph.add("Mul", graph.add("Sigmoid", x), graph.number(2))
    return graph.add("Sub", doubled, graph.number(1))


def _gelu(graph: Graph, x: str) -> str:
    cube = graph.add("Mul", graph.add("Mul", x, x), x)
    sum_ = graph.add("Add", _times(graph, x, 0.797885), _times(graph, cube, 0.035677))
    shifted = graph.add("Add", graph.add("Tanh", sum_), graph.number(1))
    return graph.add("Mul", _times(graph, x, 0.5), shifted)


def _ramp(graph: Graph, x: str) -> str:
    return graph.add("Add", graph.add("Relu", x), _times(graph, x, 0.1))


def _plse(graph: Graph, x: str) -> str:
    outside = graph.add("Greater", graph.add("Abs", x), graph.number(4))
    step = graph.add("Clip", graph.add("Sign", x), graph.number(0), graph.number(1))  # 0 below, 1 above
    from_edge = graph.add("Sub", x, graph.add("Mul", graph.add("Sign", x), graph.number(4)))
    flat = graph.add("Add", _times(graph, from_edge, 0.01), step)
    rising = graph.add("Add", _times(graph, x, 0.125), graph.number(0.5))
    return graph.add("Where", outside, flat, rising)


def _stair(graph: Graph, x: str) -> str:
    floor = graph.add("Floor", x)
    half = graph.add("Floor", _times(graph, x, 0.5))
    odd = graph.add("Sub", floor, _times(graph, half, 2))
    return graph.add("Add", half, graph.add("Mul", odd, graph.add("Sub", x, floor)))


def _lhtan(graph: Graph, x: str) -> str:
    inside = _clipped(graph, x, 0, 1)
    return graph.add("Add", inside, _times(graph, graph.add("Sub", x, inside), 0.001))


def _swish(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _mish(graph: Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


def _hard_mish(graph: Graph, x: str) -> str:
    clipped = _clipped(graph, x, -2, 0)
    parabola = graph.add("Add", _times(graph, graph.add("Mul", clipped, clipped), 0.5), clipped)
    return graph.add("Add", graph.add("Relu", x), parabola)


def _share(graph: Graph, x: str) -> str:
    """``x`` divided by its sum over channels plus 1e-4."""
    total = graph.add("ReduceSum", x, graph.indices([1]), keepdims=1)
    return graph.add("Div", x, graph.add("Add", total, graph.number(1e-4)))


def _softmax_maxval(graph: Graph, x: str) -> str:
    largest = graph.add("ReduceMax", x, axes=[1], keepdims=1)
    return _share(graph, graph.add("Exp", graph.add("Sub", x, largest)))


def _times(graph: Graph, x: str, factor: float) -> str:
    return graph.add("Mul", x, graph.number(factor))


def _clipped(graph: Graph, x: str, low: float, high: float) -> str:
    return graph.add("Clip", x, graph.number(low), graph.number(high))


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "linear": lambda graph, x: x,
    "logistic": lambda graph, x: graph.add("Sigmoid", x),
    "loggy": _loggy,
    "relu": lambda graph, x: graph.add("Relu", x),
    "relu6": lambda graph, x: _clipped(graph, x, 0, 6),
    "elu": lambda graph, x: graph.add("Elu", x, alpha=1.0),
    "selu": lambda graph, x: graph.add("Selu", x, alpha=1.6732, gamma=1.0507),
    "gelu": _gelu,
    "relie": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.01),
    "ramp": _ramp,
    "leaky": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.1),
    "revleaky": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.1),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "plse": _plse,
    "stair": _stair,
    "hardtan": lambda graph, x: _clipped(graph, x, -1, 1),
    "lhtan": _lhtan,
    "swish": _swish,
    "mish": _mish,
    "hard_mish": _hard_mish,
    "normalize_channels": lambda graph, x: _share(graph, graph.add("Relu", x)),
    "normalize_channels_softmax": lambda graph, x: _share(graph, graph.add("Exp", x)),
    "normalize_channels_softmax_maxval": _softmax_maxval,
}
"""The same names as `yolodsc.network.reference.activations.ACTIVATIONS`."""
