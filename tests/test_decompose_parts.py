"""Parts of a decomposition: sampling, refinement, allocation and cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.decomposable import CHAIN, TANGLED, network, shown
from yolodsc.convert import first_layers
from yolodsc.darknet.cfg import Cfg
from yolodsc.decompose import refine, surgery
from yolodsc.decompose.calibration import patches, samples
from yolodsc.decompose.factor import paper
from yolodsc.decompose.factor.gram import moments
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.allocate import AllocationOption, allocate
from yolodsc.decompose.search.choices import FactorizationChoice
from yolodsc.decompose.target import candidates, convolutions
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.network.network import Network

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_patches_times_weights_are_the_convolution(text: str) -> None:
    """The patch at a position is the input of the layer there, zero padding included."""
    net = network(text)
    (image,) = shown(net, count=1)
    seen = [*net.forward(image), image]

    for i, target in convolutions(net).items():
        height, width = target.layer.shape[1:]
        rows, columns = (part.ravel() for part in np.mgrid[:height, :width])
        X = patches.gather_patches(seen[target.layer.sources[0]], target.layer, rows, columns)
        linear = surgery.assemble(net, {}).layers[i].section.replaced(activation="linear")
        alone = first_layers(surgery.assemble(net, {}), i + 1)
        sections = (*alone.cfg.sections[:-1], linear)
        bare = Network.build(Cfg(sections)).with_weights(alone.weights)
        expected = bare.forward(image)[-1].reshape(target.layer.filters, -1).T
        np.testing.assert_allclose(samples.apply(target, X), expected, rtol=1e-3, atol=1e-4)


def test_sample_positions_come_in_whole_pool_windows() -> None:
    """Before a 2x2 max pool four consecutive positions are one window."""
    net = network(CHAIN)
    layer = candidates(net)[0].layer

    positions = patches.choose_positions(net, layer, images=3, count=16, seed=0)

    assert positions.window == 4
    windows = positions.rows.reshape(3, -1, 4) // 2
    assert (windows == windows[:, :, :1]).all()


@given(st.integers(0, 1000), st.sampled_from([1, 4]))
def test_refinement_never_raises_the_loss(seed: int, window: int) -> None:
    """Behind rectifier and pool the refined form is at least as close as the fitted one."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((200, 27)).astype(np.float32)
    W = random.standard_normal((27, 6))
    Y = (X @ W).astype(np.float32)
    gram = moments(X, Y, channels=3)
    form = paper.compensated(W, gram)

    with FitThreadPool(1) as pool:
        ask = {"activation": "leaky", "window": window, "iterations": 10, "pool": pool}
        better, biases = refine.refined(form, gram.bias(form.dense()), X, Y, **ask)

    def loss(dense: np.ndarray, b: np.ndarray) -> float:
        both = [np.where(z > 0, z, 0.1 * z).reshape(-1, window, 6).max(axis=1) for z in (Y, X @ dense + b)]
        return float(np.sum((both[0] - both[1]) ** 2))

    assert loss(better.dense(), biases) <= loss(form.dense(), gram.bias(form.dense())) * (1 + 1e-5)


@given(st.lists(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=1, max_size=4), min_size=1, max_size=4))
def test_plans_fit_their_budget(layers: list[list[tuple[float, float]]]) -> None:
    """Whatever the options are, the plan costs no more than the budget, and no single exchange betters it."""
    options = {
        i: [AllocationOption(FactorizationChoice("pdp", k + 1), cost, loss) for k, (cost, loss) in enumerate(layer)]
        for i, layer in enumerate(layers)
    }
    budget = 1.2 * sum(min(o.cost for o in layer) for layer in options.values())

    plan = allocate(options, budget=budget)

    taken = {i: next(o for o in options[i] if o.choice == choice) for i, choice in plan.items()}
    spent = sum(o.cost for o in taken.values())
    assert spent <= budget
    for i, layer in options.items():
        for o in layer:
            others = [taken[k] for k in options if k != i]
            exchanged = sum(other.cost for other in others) + o.cost, sum(other.loss for other in others) + o.loss
            assert exchanged[0] > budget * (1 - 1e-9) or exchanged[1] >= sum(t.loss for t in taken.values()) - 1e-9


def test_equal_cost_is_not_more() -> None:
    """Components of pdp and filters of channel decomposition at rank 1 cost no more than depthwise and pointwise."""
    target = candidates(network(CHAIN))[2]
    expected = choices.multiply_adds(target, FactorizationChoice("als", 1))

    for method in ("pdp", "channel"):
        assert choices.multiply_adds(target, choices.equal_cost(target, method, 1)) <= expected
