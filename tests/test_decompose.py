"""Decomposition of whole networks: surgery, sampling, refinement, plan, and what comes out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.arrays import Array
from yolodsc.convert import first_layers
from yolodsc.darknet.cfg import Cfg, parse_cfg
from yolodsc.decompose import refine, surgery
from yolodsc.decompose.calibration import patches, samples
from yolodsc.decompose.driver import decompose
from yolodsc.decompose.factor import paper
from yolodsc.decompose.factor.gram import moments
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.allocate import AllocationOption, allocate
from yolodsc.decompose.search.choices import KEEP, METHODS, FactorizationChoice
from yolodsc.decompose.settings import DecomposeSettings
from yolodsc.decompose.target import candidates, convolutions, obstacle
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network.network import Network

CHAIN = """
[net]
width=24
height=20
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=16
size=3
pad=1
activation=leaky
[convolutional]
filters=12
size=1
activation=linear
"""

TANGLED = """
[net]
width=16
height=16
channels=4
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish
[convolutional]
filters=8
size=3
pad=1
groups=2
activation=relu
[shortcut]
from=-2
activation=linear
[convolutional]
filters=8
size=5
padding=2
activation=leaky
[route]
layers=-1,0
[convolutional]
filters=6
size=3
pad=1
dilation=2
activation=linear
[route]
layers=1
[convolutional]
filters=8
size=3
stride_x=2
stride_y=1
pad=1
activation=leaky
"""


def network(text: str, *, seed: int = 0) -> Network:
    """A network with random weights of sensible size."""
    random = np.random.default_rng(seed)
    blank = Network.build(parse_cfg(text))
    arrays = []
    for layer in blank.layers:
        new = {}
        for name, shape in layer.weight_shapes().items():
            values = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
            new[name] = (np.abs(values) + 0.5 if name in ("scales", "rolling_variance") else values).astype(np.float32)
        arrays.append(new)
    return blank.with_weights(arrays)


def shown(net: Network, *, count: int = 24, seed: int = 1) -> Array:
    """Smooth random images."""
    c, h, w = net.image
    noise = np.random.default_rng(seed).random((count, c, h + 2, w + 2))
    return sum(noise[:, :, y : y + h, x : x + w] for y in range(3) for x in range(3)).astype(np.float32) / 9


def outputs(net: Network, images: Array) -> list[Array]:
    """The last layer's output for each image, on the reference kernels."""
    return [net.forward(image)[-1] for image in images]


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_folding_alone_changes_nothing(text: str) -> None:
    """A network put together again with no chain replaced gives the same numbers."""
    net = network(text)

    again = surgery.assemble(net, {})

    for a, b in zip(outputs(net, shown(net, count=2)), outputs(again, shown(net, count=2)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_full_rank_changes_nothing(text: str) -> None:
    """With as many filters a channel as the kernel has taps, chains equal layers: strides, groups, dilation and references hold."""
    net = network(text)
    targets = candidates(net)
    chains = {
        i: surgery.joined([paper.weight_svd(W, channels=t.weights.shape[1], rank=t.layer.size**2) for W in t.matrices()], t.biases)
        for i, t in targets.items()
    }

    again = surgery.assemble(net, chains)

    assert len(again.layers) == len(net.layers) + len(chains)
    for a, b in zip(outputs(net, shown(net, count=2)), outputs(again, shown(net, count=2)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_costs_are_those_of_the_network(method: str) -> None:
    """Multiplications counted beforehand are those of the network that comes out."""
    net = network(TANGLED)

    result = decompose(net, shown(net), DecomposeSettings(method=method, rank=1, refine=0, patches=20))

    total = sum(layer.multiply_adds() for layer in result.network.layers)
    assert total == sum(r.multiply_adds[1] for r in result.layers)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_handles_every_convolution(method: str) -> None:
    """Groups, strides, dilation, 5x5 and shortcuts come out as a network of the same output shape, with finite numbers."""
    net = network(TANGLED)

    result = decompose(net, shown(net), DecomposeSettings(method=method, patches=20, refine=3))

    assert result.network.layers[-1].shape == net.layers[-1].shape
    assert np.isfinite(result.output_error)
    assert all(np.isfinite(out).all() for out in outputs(result.network, shown(net, count=2)))


def test_auto_stays_within_its_budget() -> None:
    """The plan costs no more than the share of multiplications asked for, and a larger budget is no worse."""
    net = network(CHAIN)
    whole = sum(layer.multiply_adds() for layer in net.layers)
    errors = []

    for budget in (0.45, 0.9):
        result = decompose(net, shown(net), DecomposeSettings(budget=budget, patches=20, refine=5))
        assert sum(layer.multiply_adds() for layer in result.network.layers) <= budget * whole
        errors.append(result.output_error)

    assert errors[1] <= errors[0]


def test_budgets_out_of_reach_are_refused() -> None:
    """One line says what the cheapest forms take, in the budget's own unit."""
    net = network(CHAIN)

    with pytest.raises(DecompositionError, match=r"budget of 0\.01: the network with the cheapest forms takes 0\.\d+ of its cost"):
        decompose(net, shown(net), DecomposeSettings(budget=0.01, patches=10))
    with pytest.raises(DecompositionError, match=r"budget of 1e-06 ms: the network with the cheapest forms takes .* ms"):
        decompose(net, shown(net), DecomposeSettings(budget_ms=1e-6, patches=10))


def test_budgets_in_milliseconds_choose_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the clock says that all decomposed forms are slower, nothing is decomposed; where they are faster, all is."""
    net = network(CHAIN)
    monkeypatch.setattr("yolodsc.decompose.search.time_model.Timer.network", lambda timer, network: 10.0)

    counts = []
    for stages_cost in (4.0, 0.25):
        monkeypatch.setattr(
            "yolodsc.decompose.search.time_model.Timer.chain",
            lambda timer, target, chain, slow=stages_cost: slow if len(chain.stages) > 1 else 1.0,
        )
        result = decompose(net, shown(net), DecomposeSettings(budget_ms=10.0 if stages_cost > 1 else 8.6, patches=20, refine=5))
        counts.append(len(result.network.layers))

    assert counts[0] == len(net.layers) < counts[1]


def test_kept_layers_stay_whole() -> None:
    """A layer named in keep has one section still, and the report says why."""
    net = network(CHAIN)

    result = decompose(net, shown(net), DecomposeSettings(method="als", keep=(0,), patches=20))

    (first,) = [r for r in result.layers if r.index == 0]
    assert first.choice == KEEP
    assert first.reason == "asked to be kept"
    assert [layer.type for layer in result.network.layers][:2] == ["convolutional", "maxpool"]


def test_shared_weights_are_left_alone(golden: Path) -> None:
    """Layers that share arrays are kept, on both sides, with the reason."""
    net = Network.load(golden / "micro/share-weights.cfg", golden / "micro/share-weights.weights")
    sharing = [layer for layer in net.layers if getattr(layer, "share_index", None) is not None]

    assert sharing
    for layer in sharing:
        assert layer.index not in convolutions(net)
        assert layer.share_index not in convolutions(net)
        assert "weights of layer" in str(obstacle(net, layer))


def test_pointwise_networks_are_refused() -> None:
    """Where there is nothing to decompose one line says so."""
    text = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
    net = network(text)

    with pytest.raises(DecompositionError, match="pointwise already"):
        decompose(net, shown(net), DecomposeSettings())


@pytest.mark.parametrize("ask", [{"method": "pdp"}, {"method": "auto", "budget": 0.5, "refine": 5}])
def test_results_do_not_depend_on_threads(ask: dict[str, Any]) -> None:
    """One thread or three give one network, bit for bit."""
    net = network(CHAIN)

    one, three = (decompose(net, shown(net), DecomposeSettings(patches=20, threads=n, **ask)).network for n in (1, 3))

    for a, b in zip(one.weights, three.weights, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_seeds_repeat() -> None:
    """The same seed gives the same network bit for bit; another seed another one."""
    net = network(CHAIN)

    one, two, other = (decompose(net, shown(net), DecomposeSettings(method="pdp", patches=10, seed=s)).network for s in (3, 3, 4))

    first, second, third = (out(n) for n in (one, two, other) for out in (lambda n: n.weights[1]["weights"],))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_patches_times_weights_are_the_convolution(text: str) -> None:
    """What is gathered at a place is what the layer sees there, zero padding included."""
    net = network(text)
    (image,) = shown(net, count=1)
    seen = [*net.forward(image), image]

    for i, target in convolutions(net).items():
        height, width = target.layer.shape[1:]
        rows, columns = (part.ravel() for part in np.mgrid[:height, :width])
        X = patches.gather(seen[target.layer.sources[0]], target.layer, rows, columns)
        linear = surgery.assemble(net, {}).layers[i].section.replaced(activation="linear")
        alone = first_layers(surgery.assemble(net, {}), i + 1)
        sections = (*alone.cfg.sections[:-1], linear)
        bare = Network.build(Cfg(sections)).with_weights(alone.weights)
        expected = bare.forward(image)[-1].reshape(target.layer.filters, -1).T
        np.testing.assert_allclose(samples.apply(target, X), expected, rtol=1e-3, atol=1e-4)


def test_places_come_in_whole_pool_windows() -> None:
    """Before a 2x2 max pool four consecutive positions are one window."""
    net = network(CHAIN)
    layer = candidates(net)[0].layer

    positions = patches.choose(net, layer, images=3, count=16, seed=0)

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


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_opencv_reads_the_pair_and_agrees(text: str, tmp_path: Path) -> None:
    """The new pair is an ordinary Darknet pair: OpenCV's importer gives the reference's outputs."""
    cv2 = pytest.importorskip("cv2")
    net = network(
        text.replace("[convolutional]\nfilters=6\nsize=3\npad=1\ndilation=2", "[convolutional]\nfilters=6\nsize=3\npad=1")
    )
    if "stride_x" in text:
        net = network(text[: text.index("[route]\nlayers=1\n")].replace("dilation=2\n", "").replace("mish", "leaky"))
    result = decompose(net, shown(net), DecomposeSettings(method="pdp", patches=20, refine=3))
    cfg, weights = tmp_path / "new.cfg", tmp_path / "new.weights"
    result.network.save(cfg, weights)
    (image,) = shown(net, count=1)

    reader = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    reader.setInput(image[None])
    found = reader.forward()[0]

    np.testing.assert_allclose(found, Network.load(cfg, weights).forward(image)[-1], rtol=1e-3, atol=1e-4)
