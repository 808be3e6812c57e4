"""Replacing or re-solving one convolution after the other, each on the outputs of the layers replaced before it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import perf_counter

import numpy as np
import scipy.linalg

from yolodsc.arrays import Array
from yolodsc.decompose import refine
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.calibration.samples import OriginalSamples
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.search.sensitivity import FittedForms
from yolodsc.decompose.settings import DecomposeSettings, Decomposition, LayerResult, ProgressCallback
from yolodsc.decompose.surgery import Chain, assemble, joined, regular
from yolodsc.decompose.target import DecompositionTarget, obstacle
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.network import Network

RIDGES = (1e-3, 1e-2, 1e-1)
"""Ridges that are compared where a kept convolution is solved again."""


class LayerReplacement:
    """The state of one run: the chains so far, and the result of every layer."""

    def __init__(
        self,
        network: Network,
        images: Array,
        settings: DecomposeSettings,
        pool: FitThreadPool,
        all_targets: Mapping[int, DecompositionTarget],
        originals: Mapping[int, OriginalSamples],
        selected: Mapping[int, FactorizationChoice],
        fitted: FittedForms,
    ) -> None:
        self.network, self.images, self.settings, self.pool = network, images, settings, pool
        self.all_targets, self.originals, self.selected, self.fitted = all_targets, originals, selected, fitted
        self.calibration = settings.calibration_count(len(images))
        self.chains: dict[int, Chain] = {}
        self.results: dict[int, LayerResult] = {}

    def run(self, report: ProgressCallback) -> None:
        """Replace all convolutions in order; the first half of the progress is that of the selection."""
        for step, index in enumerate(self.all_targets):
            report(f"layer {index}: {self.selected.get(index, KEEP)}", 0.5 + 0.5 * step / len(self.all_targets))
            self.layer(index)
        report("done", 1.0)

    def decomposition(self, begin: float) -> Decomposition:
        """The network and its results; ``begin`` is when the work began, by `time.perf_counter`."""
        network = assemble(self.network, self.chains)
        results = tuple(self._counted(network))
        return Decomposition(network, results, self.output_error(network), self.settings, perf_counter() - begin)

    def layer(self, index: int) -> None:
        """Replace one convolution, or solve it again."""
        target, choice = self.all_targets[index], self.selected.get(index, KEEP)
        if choice == KEEP and not (self.chains and self.settings.ours):
            self._note(target, choice, 0.0, 0.0)
            return
        X = self._patches(target)
        cut = self.calibration * self.originals[index].positions.rows.shape[1]
        Y = self.originals[index].Y
        gram, held_back = samples.gram(target, X[:cut], Y[:cut]), samples.gram(target, X[cut:], Y[cut:])
        if choice == KEEP:
            chain, W = _solved(target, gram, held_back)
        else:
            chain, W = self._decomposed(target, choice, gram, X[:cut], Y[:cut])
        self.chains[index] = chain
        self._note(target, choice, gram.error(W), held_back.error(W))

    def output_error(self, decomposed: Network) -> float:
        """Relative error of the output on the held-back images."""
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
                window=self.originals[target.index].positions.window,
                iterations=settings.refine,
                pool=self.pool,
            )
            W = choices.dense(forms)
        return joined([form.balanced() for form in forms], biases), W

    def _patches(self, target: DecompositionTarget) -> Array:
        """Input patches in the current network, or in the original network for methods that use it only."""
        chains = self.chains if self.settings.asymmetric else {}
        current = assemble(self.network, chains)
        source = target.layer.sources[0]
        lengths = [len(chains[i].stages) if i in chains else 1 for i in range(source + 1)]
        positions = self.originals[target.index].positions
        return samples.inputs(current, target, sum(lengths) - 1, positions, self.images, threads=self.settings.threads)

    def _crosses(self, target: DecompositionTarget, X: Array) -> list[Matrix]:
        """Cross moments of current and original patches, for Algorithm 3."""
        positions = self.originals[target.index].positions
        images = self.images[: self.calibration]
        original = samples.inputs(self.network, target, target.layer.sources[0], positions, images, threads=self.settings.threads)
        x, x0 = X.astype(np.float64), original.astype(np.float64)
        cross = (x - x.mean(axis=0)).T @ (x0 - x0.mean(axis=0)) / len(x)
        rows = len(cross) // target.layer.groups
        return [cross[g * rows : (g + 1) * rows, g * rows : (g + 1) * rows] for g in range(target.layer.groups)]

    def _note(self, target: DecompositionTarget, choice: FactorizationChoice, error: float, held_back: float) -> None:
        layer = target.layer
        reason = obstacle(self.network, layer) or ("asked to be kept" if layer.index in self.settings.keep else "")
        if choice == KEEP and not reason:
            reason = "best kept within the budget"
        before = layer.multiply_adds(), target.weights.size + layer.filters
        self.results[layer.index] = LayerResult(layer.index, choice, (before[0], 0), (before[1], 0), error, held_back, reason)

    def _counted(self, network: Network) -> Iterator[LayerResult]:
        """The results in order, with the costs in the new network, where pruned layers make those before them cheaper too."""
        end = 0
        for layer in self.network.layers:
            begin, end = end, end + (len(self.chains[layer.index].stages) if layer.index in self.chains else 1)
            if layer.index in self.results:
                found, parts = self.results[layer.index], range(begin, end)
                after = sum(network.layers[i].multiply_adds() for i in parts)
                parameters = sum(network.weights[i]["weights"].size for i in parts) + len(network.weights[end - 1]["biases"])
                costs, sizes = (found.multiply_adds[0], after), (found.parameters[0], parameters)
                yield replace(found, multiply_adds=costs, parameters=sizes)


def _solved(target: DecompositionTarget, gram: Gram, held_back: Gram) -> tuple[Chain, Matrix]:
    """The convolution with new weights that compensate for its changed inputs.

    The weights come from ridge regression towards the old weights. The ridge is the one with the lowest error on the held-back
    images; keeping the old weights (an infinite ridge) is one of the candidates.
    """
    groups = target.layer.groups
    old = [W.copy() for W in target.matrices()]
    parts = choices.split(gram, groups)
    candidates = [old]
    for ridge in RIDGES:
        solved = []
        for W, part in zip(old, parts, strict=True):
            diagonal = ridge * (np.diag(part.G) + np.trace(part.G) / len(part.G)) + 1e-30
            change = scipy.linalg.solve(part.G + np.diag(diagonal), part.T - part.G @ W, assume_a="pos")
            solved.append(W + change)
        candidates.append(solved)
    best = min(candidates, key=lambda matrices: held_back.error(_block_diagonal(matrices)))
    kernel = np.concatenate([W.T for W in best]).reshape(target.weights.shape)
    W = _block_diagonal(best)
    return regular(target, weights=kernel, biases=gram.bias(W)), W


def _block_diagonal(matrices: list[Matrix]) -> Matrix:
    return matrices[0] if len(matrices) == 1 else np.asarray(scipy.linalg.block_diag(*matrices))
