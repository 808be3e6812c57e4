"""Decomposition of whole networks: surgery, methods, budgets, and the resulting networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.decomposable import CHAIN, TANGLED, network, outputs, shown
from yolodsc.decompose import surgery
from yolodsc.decompose.driver import decompose
from yolodsc.decompose.factor import paper
from yolodsc.decompose.factor.gram import Gram
from yolodsc.decompose.planner import DecompositionPlanner
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.blank import blank_chain
from yolodsc.decompose.search.choices import KEEP, METHODS, FactorizationChoice
from yolodsc.decompose.search.time_model import FormCosts, Timer
from yolodsc.decompose.settings import DecomposeSettings
from yolodsc.decompose.target import candidates, convolutions, obstacle, without
from yolodsc.errors import DecompositionError
from yolodsc.network.network import Network

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("before", ["keep", "bs", "pdp"])
def test_pruned_channels_are_not_computed_either(before: str) -> None:
    """The layer before has fewer filters, in any form; the outputs are those of weights that are zero for the other channels."""
    net = network(CHAIN)
    targets = candidates(net)
    moments = {i: Gram.white(t.matrices()[0], channels=t.weights.shape[1]) for i, t in targets.items()}
    first = FactorizationChoice(before, 4) if before != "keep" else None
    chains = {0: surgery.joined(choices.fit(targets[0], [moments[0]], first), targets[0].biases)} if first else {}
    (form,) = choices.fit(targets[2], [moments[2]], FactorizationChoice("prune", 5))
    dense = form.dense().T.reshape(targets[2].weights.shape)

    found = surgery.assemble(net, {**chains, 2: surgery.joined([form], targets[2].biases)})
    expected = surgery.assemble(net, {**chains, 2: surgery.regular(targets[2], weights=dense)})

    assert found.layers[-2].inputs[0].channels == 5 < expected.layers[-2].inputs[0].channels
    assert found.multiply_adds < expected.multiply_adds
    for a, b in zip(outputs(found, shown(net, count=2)), outputs(expected, shown(net, count=2)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_only_the_sole_reader_of_a_convolution_is_pruned() -> None:
    """Filters that a shortcut, a route or a grouped convolution reads as well stay."""
    assert {i: t.producer for i, t in candidates(network(CHAIN)).items()} == {0: None, 2: 0}
    assert all(t.producer is None for t in candidates(network(TANGLED)).values())
    assert without(candidates(network(CHAIN)), (0,))[2].producer is None


def test_budgets_in_milliseconds_may_prune(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pruning alone is fast, a layer and the one before it are pruned, and both costs are those of the network."""
    net = network(CHAIN.replace("filters=8", "filters=32"))

    def costs(timer: Timer, net: Any, targets: Any, offered: Mapping[int, Sequence[Any]]) -> FormCosts:
        return FormCosts({i: {c: 0.5 if c.method == "prune" else 1.0 for c in found} for i, found in offered.items()}, 8.0)

    monkeypatch.setattr("yolodsc.decompose.search.time_model.Timer.costs", costs)
    result = decompose(net, shown(net), DecomposeSettings(budget_ms=9.5, patches=60, refine=5))

    assert result.network.layers[0].shape.channels < 32
    assert [str(layer.choice).split()[0] for layer in result.layers][:2] == ["keep", "prune"]
    assert sum(layer.multiply_adds[1] for layer in result.layers) == result.network.multiply_adds


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
    counts = []
    for form_cost in (4.0, 0.25):

        def costs(timer: Timer, net: Any, targets: Any, offered: Mapping[int, Sequence[Any]], cost: float = form_cost) -> FormCosts:
            return FormCosts({i: {c: 1.0 if c == KEEP else cost for c in found} for i, found in offered.items()}, 8.0)

        monkeypatch.setattr("yolodsc.decompose.search.time_model.Timer.costs", costs)
        result = decompose(net, shown(net), DecomposeSettings(budget_ms=10.0 if form_cost > 1 else 8.6, patches=20, refine=5))
        counts.append(len(result.network.layers))

    assert counts[0] == len(net.layers) < counts[1]


@pytest.mark.parametrize("text", [CHAIN, TANGLED])
def test_blank_chains_have_the_shapes_of_fitted_ones(text: str) -> None:
    """What is timed before a fit is what the fit gives."""
    net = network(text)

    for i, target in candidates(net).items():
        moments = Gram.white(target.matrices()[0], channels=target.layer.inputs[0].channels // target.layer.groups)
        for choice in [*choices.timed_options(target)[1:], FactorizationChoice("tucker", 2, 3), FactorizationChoice("squeeze", 2)]:
            fitted = choices.fit(target, [moments] * target.layer.groups, choice, iterations=2)
            expected = surgery.joined(fitted, target.biases)
            found = blank_chain(target, choice)
            assert [s.weights.shape for s in found.stages] == [s.weights.shape for s in expected.stages], (i, choice)
            assert [(s.groups, s.spatial) for s in found.stages] == [(s.groups, s.spatial) for s in expected.stages]


@pytest.mark.parametrize("precision", ["f32", "bf16", "int8"])
def test_times_are_measured_for_every_form(precision: str) -> None:
    """Each offered form has a time above 0, and the total is that of the selected forms."""
    net = network(CHAIN)
    targets = candidates(net)
    offered = {i: choices.timed_options(target) for i, target in targets.items()}

    costs = Timer(1, precision).costs(net, targets, offered)

    assert {i: set(found) for i, found in costs.layers.items()} == {i: set(found) for i, found in offered.items()}
    assert all(ms > 0 for found in costs.layers.values() for ms in found.values())
    kept = costs.total(dict.fromkeys(targets, KEEP))
    assert kept == pytest.approx(costs.rest + sum(found[KEEP] for found in costs.layers.values()))


def test_times_of_forms_add_up_to_the_network() -> None:
    """What a call of a single operation costs beside the operation is not part of its time."""
    net = network(CHAIN)
    targets, timer = candidates(net), Timer(1)

    costs = timer.costs(net, targets, {i: [KEEP] for i in targets})

    assert costs.total(dict.fromkeys(targets, KEEP)) <= 1.4 * timer.network(net)


def test_a_planner_makes_what_decompose_makes() -> None:
    """Several budgets on the same fits: faster plans cost fewer multiplications, and the networks are whole."""
    net, images = network(CHAIN), shown(network(CHAIN))
    settings = DecomposeSettings(patches=20, refine=3)

    with DecompositionPlanner(net, images, settings, ["f32"]) as planner:
        least, whole = planner.minimum("f32"), planner.whole("f32")
        assert 0 < least <= whole
        for budget in (least * 1.001, whole * 1.001):
            result = planner.decomposed("f32", budget)
            assert result.network.layers[-1].shape == net.layers[-1].shape
            assert np.isfinite(result.output_error)
        with pytest.raises(DecompositionError):
            planner.decomposed("f32", least * 0.5)


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
