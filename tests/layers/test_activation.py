"""[activation] and the functions behind every ``activation=``."""

import math

import numpy as np
import pytest

from tests.networks import last, network
from yolodsc.network.reference.activations import ACTIVATIONS

BY_HAND = {
    "linear": lambda x: x,
    "logistic": lambda x: 1 / (1 + math.exp(-x)),
    "loggy": lambda x: 2 / (1 + math.exp(-x)) - 1,
    "relu": lambda x: x if x > 0 else 0,
    "relu6": lambda x: min(max(x, 0), 6),
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507 * x if x >= 0 else 1.0507 * 1.6732 * (math.exp(x) - 1),
    "gelu": lambda x: 0.5 * x * (1 + math.tanh(0.797885 * x + 0.035677 * x**3)),
    "relie": lambda x: x if x > 0 else 0.01 * x,
    "ramp": lambda x: x * (x > 0) + 0.1 * x,
    "leaky": lambda x: x if x > 0 else 0.1 * x,
    "revleaky": lambda x: x if x > 0 else 0.1 * x,
    "tanh": math.tanh,
    "plse": lambda x: 0.01 * (x + 4) if x < -4 else 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5,
    "stair": lambda x: math.floor(x / 2) if math.floor(x) % 2 == 0 else (x - math.floor(x)) + math.floor(x / 2),
    "hardtan": lambda x: min(max(x, -1), 1),
    "lhtan": lambda x: 0.001 * x if x < 0 else 0.001 * (x - 1) + 1 if x > 1 else x,
    "swish": lambda x: x / (1 + math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "hard_mish": lambda x: x if x > 0 else x * x / 2 + x if x > -2 else 0,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_equals_its_formula(name: str) -> None:
    """Each number is compared in double precision."""
    x = np.concatenate([np.linspace(-9, 9, 64), [-30, -4, -2, -1, 0, 1, 4, 6, 25]])[:64].astype(np.float32)
    net = network(f"activation activation={name}", channels=1)

    out = last(net, x.reshape(1, 8, 8))

    np.testing.assert_allclose(out.ravel(), [BY_HAND[name](float(v)) for v in x], rtol=1e-5, atol=1e-6)


def test_every_function_has_a_formula_here() -> None:
    """Functions that normalise over channels are covered by the golden networks instead."""
    assert set(BY_HAND) == {name for name in ACTIVATIONS if not name.startswith("normalize_channels")}
