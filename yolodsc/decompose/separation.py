"""Relative error of one layer by method and rank (He et al. 2019, Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import patches, samples
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.choices import METHODS, Method
from yolodsc.decompose.settings import ProgressCallback
from yolodsc.decompose.target import DecompositionTarget, candidates, obstacle
from yolodsc.errors import DecompositionError
from yolodsc.network import ConvolutionalLayer, Network


@dataclass(frozen=True, slots=True)
class SeparationResult:
    """One method at one rank: cost of the layer, and ||Y - Y'|| / ||Y|| on fitted and on held-back images."""

    method: Method
    rank: float
    multiply_adds: int
    error: float
    held_back: float


def separation_errors(
    network: Network,
    index: int,
    images: Array,
    *,
    ranks: Sequence[float],
    count: int = 100,
    seed: int = 0,
    threads: int = 1,
    progress: ProgressCallback | None = None,
) -> list[SeparationResult]:
    """Errors of every method on one convolution of the original network; a tenth of the images is held back.

    ``progress`` is called with a description and the share that is done.

    Raises
    ------
    DecompositionError
        The layer does not exist or cannot be decomposed, or there is one image only.
    """
    if len(images) < 2:
        raise DecompositionError(f"{len(images)} image to calibrate on; expected at least 2, better 300: a tenth is held back")
    target, report = separation_target(network, index), progress or (lambda what, share: None)
    report("running the network", 0.0)
    positions = patches.choose_positions(network, target.layer, images=len(images), count=count, seed=seed)
    X = samples.inputs(network, target, target.layer.sources[0], positions, images, threads=threads)
    Y = samples.apply(target, X)
    cut = (len(images) - max(1, len(images) // 10)) * positions.rows.shape[1]
    fitted, held_back = samples.gram(target, X[:cut], Y[:cut]), samples.gram(target, X[cut:], Y[cut:])
    out: list[SeparationResult] = []
    methods = [m for m in METHODS if m != "paper-multilayer"]
    pairs = [(method, rank) for method in methods for rank in (ranks if method != "bs" else (1.0,))]
    for method, rank in pairs:
        report(f"{method}, rank {rank:g}", len(out) / len(pairs))
        choice = choices.equal_cost(target, method, rank)
        forms = choices.fit(target, choices.split(fitted, target.layer.groups), choice, seed=seed)
        W = choices.dense(forms)
        cost = choices.multiply_adds(target, choice)
        out.append(SeparationResult(method, rank, cost, fitted.error(W), held_back.error(W)))
    return out


def separation_target(network: Network, index: int) -> DecompositionTarget:
    """The convolution at an index; a `DecompositionError` if there is none or it cannot be decomposed."""
    targets = candidates(network)
    if index not in targets:
        raise DecompositionError(f"layer {index}: {_why(network, index)}")
    return targets[index]


def _why(network: Network, index: int) -> str:
    if not 0 <= index < len(network.layers):
        return f"the network has {len(network.layers)} layers; expected 0 to {len(network.layers) - 1}"
    layer = network.layers[index]
    if not isinstance(layer, ConvolutionalLayer):
        return f"is a [{layer.type}]; expected [convolutional]"
    return obstacle(network, layer) or "cannot be decomposed"
