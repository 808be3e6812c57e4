"""From a network and images to a decomposed network: layer after layer, each seeing what the ones before have become."""

import time
from collections.abc import Mapping

import numpy as np
import scipy.linalg

from yolodsc.arrays import Array
from yolodsc.decompose import refine
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.calibration.samples import Original
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.search import choices
from yolodsc.decompose.search import time_model as milliseconds
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.search.sensitivity import Fitted, SensitivityProbe, plan
from yolodsc.decompose.settings import DecomposeSettings, Decomposition, LayerResult, ProgressCallback
from yolodsc.decompose.surgery import Chain, assemble, joined, regular
from yolodsc.decompose.target import DecompositionTarget, candidates, convolutions, obstacle
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network import ConvolutionalLayer, Network

SENSITIVITY_IMAGES = 24
RIDGES = (1e-3, 1e-2, 1e-1)


def decompose(
    network: Network, images: Array, settings: DecomposeSettings, *, progress: ProgressCallback | None = None
) -> Decomposition:
    """Make a network's regular convolutions separable.

    Parameters
    ----------
    images : (N, C, H, W)
        Unlabelled images as the network reads them; the last ``settings.held_back`` of them only measure.
    progress
        Called now and then.

    Raises
    ------
    DecompositionError
        Nothing to decompose, unknown layers, too few images, a budget that cannot be met.
    """
    begin = time.perf_counter()
    targets = candidates(network)
    _check(network, targets, images, settings)
    targets = {i: t for i, t in targets.items() if i not in settings.keep}
    with FitThreadPool(settings.threads) as crew:
        work = _decomposed(network, targets, images, settings, crew, progress or (lambda what, share: None))
        decomposed = assemble(network, work.chains)
        error = work.output_error(decomposed)
    results = tuple(work.results[i] for i in sorted(work.results))
    return Decomposition(decomposed, results, error, settings, time.perf_counter() - begin)


def _decomposed(
    network: Network,
    targets: Mapping[int, DecompositionTarget],
    images: Array,
    settings: DecomposeSettings,
    crew: FitThreadPool,
    tell: ProgressCallback,
) -> "_Work":
    """Everything chosen and fitted."""
    tell("running the original network", 0.0)
    everything = convolutions(network)
    originals = samples.of_original(
        network, everything, images, count=settings.patches, seed=settings.seed, threads=settings.threads
    )
    taken, fitted = _choices(network, targets, originals, images, settings, crew, tell)
    work = _Work(network, images, settings, crew, everything, originals, taken, fitted)
    for step, index in enumerate(everything):
        tell(f"layer {index}: {taken.get(index, KEEP)}", 0.5 + 0.5 * step / len(everything))
        work.layer(index)
    tell("done", 1.0)
    return work


class _Work:
    """The state of one run: chains so far, and what is known of every layer."""

    def __init__(
        self,
        network: Network,
        images: Array,
        settings: DecomposeSettings,
        crew: FitThreadPool,
        everything: Mapping[int, DecompositionTarget],
        originals: Mapping[int, Original],
        taken: Mapping[int, FactorizationChoice],
        fitted: Fitted,
    ) -> None:
        self.network, self.images, self.settings, self.crew = network, images, settings, crew
        self.everything, self.originals, self.taken, self.fitted = everything, originals, taken, fitted
        self.calibration = _calibration(images, settings)
        self.chains: dict[int, Chain] = {}
        self.results: dict[int, LayerResult] = {}

    def layer(self, index: int) -> None:
        """Replace, or solve anew, one convolution."""
        target, choice = self.everything[index], self.taken.get(index, KEEP)
        if choice == KEEP and not (self.chains and self.settings.ours):
            self._note(target, choice, regular(target), 0.0, 0.0)
            return
        X = self._patches(target)
        cut = self.calibration * self.originals[index].places.rows.shape[1]
        Y = self.originals[index].Y
        gram, held_back = samples.gram(target, X[:cut], Y[:cut]), samples.gram(target, X[cut:], Y[cut:])
        if choice == KEEP:
            chain, W = _solved(target, gram, held_back)
        else:
            chain, W = self._decomposed(target, choice, gram, X[:cut], Y[:cut])
        self.chains[index] = chain
        self._note(target, choice, chain, gram.error(W), held_back.error(W))

    def output_error(self, decomposed: Network) -> float:
        """On the held-back images."""
        images, threads = self.images[self.calibration :], self.settings.threads
        outputs = (samples.outputs_of(network, images, threads=threads) for network in (self.network, decomposed))
        return samples.output_error(*outputs)

    def _decomposed(
        self, target: DecompositionTarget, choice: FactorizationChoice, gram: Gram, X: Array, Y: Array
    ) -> tuple[Chain, Matrix]:
        settings, groups = self.settings, target.layer.groups
        crosses = self._crosses(target, X) if choice.method == "paper-multilayer" else None
        start = self.fitted.get((target.index, choice))
        grams = choices.split(gram, groups)
        forms = choices.fit(target, grams, choice, crosses=crosses, seed=settings.seed, start=start, iterations=80)
        W = choices.dense(forms)
        biases = gram.bias(W)
        if settings.ours and settings.refine and groups == 1:
            forms[0], biases = refine.refined(
                forms[0],
                biases,
                X,
                Y,
                activation=target.layer.activation,
                window=self.originals[target.index].places.window,
                iterations=settings.refine,
                crew=self.crew,
            )
            W = choices.dense(forms)
        return joined([form.balanced() for form in forms], biases), W

    def _patches(self, target: DecompositionTarget) -> Array:
        """What the network as it is now shows to the convolution; the original network for methods that look at nothing else."""
        chains = self.chains if self.settings.asymmetric else {}
        current = assemble(self.network, chains)
        source = target.layer.sources[0]
        lengths = [len(chains[i].stages) if i in chains else 1 for i in range(source + 1)]
        places = self.originals[target.index].places
        return samples.inputs(current, target, sum(lengths) - 1, places, self.images, threads=self.settings.threads)

    def _crosses(self, target: DecompositionTarget, X: Array) -> list[Matrix]:
        """Moments of current with original patches, for Algorithm 3."""
        places = self.originals[target.index].places
        images = self.images[: self.calibration]
        original = samples.inputs(self.network, target, target.layer.sources[0], places, images, threads=self.settings.threads)
        x, x0 = X.astype(np.float64), original.astype(np.float64)
        cross = (x - x.mean(axis=0)).T @ (x0 - x0.mean(axis=0)) / len(x)
        rows = len(cross) // target.layer.groups
        return [cross[g * rows : (g + 1) * rows, g * rows : (g + 1) * rows] for g in range(target.layer.groups)]

    def _note(self, target: DecompositionTarget, choice: FactorizationChoice, chain: Chain, error: float, held_back: float) -> None:
        layer = target.layer
        reason = obstacle(self.network, layer) or ("asked to be kept" if layer.index in self.settings.keep else "")
        if choice == KEEP and not reason:
            reason = "best kept within the budget"
        parameters = sum(stage.weights.size for stage in chain.stages) + len(chain.biases)
        before, after = layer.multiply_adds(), choices.multiply_adds(target, choice)
        costs = (target.weights.size + layer.filters, parameters)
        self.results[layer.index] = LayerResult(layer.index, choice, (before, after), costs, error, held_back, reason)


def _choices(
    network: Network,
    targets: Mapping[int, DecompositionTarget],
    originals: Mapping[int, Original],
    images: Array,
    settings: DecomposeSettings,
    crew: FitThreadPool,
    tell: ProgressCallback,
) -> tuple[dict[int, FactorizationChoice], Fitted]:
    """Which form each target takes: the one asked for, or the plan within the budget with the fits that it is made of."""
    if settings.method != "auto":
        return {i: _uniform(t, settings) for i, t in targets.items()}, {}
    part = images[:: max(1, len(images) // SENSITIVITY_IMAGES)][:SENSITIVITY_IMAGES]
    bench = SensitivityProbe(network, part, settings.threads)
    rows = _calibration(images, settings)
    timer = milliseconds.Timer(settings.threads) if settings.budget_ms else None

    def offered(i: int) -> list[FactorizationChoice]:
        places = originals[i].places
        X = samples.inputs(network, targets[i], targets[i].layer.sources[0], places, images[:rows], threads=1)
        return bench.add(targets[i], samples.gram(targets[i], X, originals[i].Y[: len(X)]), seed=settings.seed)

    costs: dict[int, dict[FactorizationChoice, float]] = {}
    for step, (i, forms) in enumerate(zip(targets, crew.map(offered, targets), strict=True)):
        tell(f"layer {i}: every form", 0.05 + 0.3 * step / len(targets))
        costs[i] = {c: float(choices.multiply_adds(targets[i], c)) for c in forms}
    if timer:
        costs = {i: {c: timer.chain(t, bench.chains.get((i, c)) or regular(t)) for c in costs[i]} for i, t in targets.items()}
    kept = {i: options[KEEP] for i, options in costs.items()}
    whole, budget = _total(network), settings.budget * _total(network)
    if timer and settings.budget_ms:
        whole, budget = timer.network(network), settings.budget_ms
    rest = whole - sum(kept.values())
    _check_budget(budget, rest + sum(min(options.values()) for options in costs.values()), whole, settings)
    tell("allocating the budget", 0.35)
    return plan(bench, costs, budget=budget - rest), bench.forms


def _check_budget(budget: float, least: float, whole: float, settings: DecomposeSettings) -> None:
    """A `DecompositionError` in the budget's own unit where not even the cheapest forms fit it."""
    if least <= budget:
        return
    if settings.budget_ms:
        raise DecompositionError(f"budget of {budget:.3g} ms: the network with the cheapest forms takes {least:.3g} ms")
    raise DecompositionError(
        f"budget of {budget / whole:.3g}: the network with the cheapest forms takes {least / whole:.3g} of its cost"
    )


def _uniform(target: DecompositionTarget, settings: DecomposeSettings) -> FactorizationChoice:
    """The method asked for, where it is cheaper than the layer itself; the layer itself elsewhere."""
    choice = choices.equal_cost(target, settings.method, settings.rank)  # type: ignore[arg-type]
    cheaper = choices.multiply_adds(target, choice) < target.layer.multiply_adds()
    return choice if cheaper else KEEP


def _solved(target: DecompositionTarget, gram: Gram, held_back: Gram) -> tuple[Chain, Matrix]:
    """The convolution with the weights that make up best for what its inputs have become.

    Ridge regression towards the weights that it had; the ridge, infinite included, is the best on the held-back images.
    """
    groups = target.layer.groups
    old = [W.copy() for W in target.matrices()]
    parts = choices.split(gram, groups)
    tries = [old]
    for ridge in RIDGES:
        solved = []
        for W, part in zip(old, parts, strict=True):
            lift = ridge * (np.diag(part.G) + np.trace(part.G) / len(part.G)) + 1e-30
            change = scipy.linalg.solve(part.G + np.diag(lift), part.T - part.G @ W, assume_a="pos")
            solved.append(W + change)
        tries.append(solved)
    best = min(tries, key=lambda matrices: held_back.error(_block_diagonal(matrices)))
    kernel = np.concatenate([W.T for W in best]).reshape(target.weights.shape)
    W = _block_diagonal(best)
    return regular(target, weights=kernel, biases=gram.bias(W)), W


def _block_diagonal(matrices: list[Matrix]) -> Matrix:
    return matrices[0] if len(matrices) == 1 else np.asarray(scipy.linalg.block_diag(*matrices))


def _calibration(images: Array, settings: DecomposeSettings) -> int:
    """How many of the images are fitted on."""
    return len(images) - max(1, round(len(images) * settings.held_back))


def _total(network: Network) -> float:
    return float(sum(layer.multiply_adds() for layer in network.layers))


def _check(network: Network, targets: Mapping[int, DecompositionTarget], images: Array, settings: DecomposeSettings) -> None:
    if len(images) < 2:
        raise DecompositionError(f"{len(images)} images; wanted at least 2, better 300")
    wrong = [i for i in settings.keep if not 0 <= i < len(network.layers)]
    if wrong:
        raise DecompositionError(f"keep names layer {wrong[0]}; the network has {len(network.layers)}")
    if not targets:
        found = [layer for layer in network.layers if isinstance(layer, ConvolutionalLayer)]
        why = "; ".join(f"layer {layer.index}: {obstacle(network, layer)}" for layer in found[:4])
        raise DecompositionError(f"{network.cfg.file}: nothing to decompose ({why or 'no convolutions'})")
