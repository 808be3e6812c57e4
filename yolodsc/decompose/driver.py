"""`decompose`: from a network and images to a decomposed network, layer after layer."""

import time
from collections.abc import Mapping
from dataclasses import replace

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.replacement import LayerReplacement
from yolodsc.decompose.search.selection import select
from yolodsc.decompose.settings import DecomposeSettings, Decomposition, ProgressCallback
from yolodsc.decompose.target import DecompositionTarget, candidates, convolutions, obstacle, without
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network import ConvolutionalLayer, Network


def decompose(
    network: Network, images: Array, settings: DecomposeSettings, *, progress: ProgressCallback | None = None
) -> Decomposition:
    """Make a network's regular convolutions separable.

    Parameters
    ----------
    images : (N, C, H, W)
        Unlabelled images as the network reads them; the last share ``settings.held_back`` of them measures errors only.
    progress
        Called at every stage with its description and the share of the work that is done.

    Raises
    ------
    DecompositionError
        There is nothing to decompose, a layer is unknown, there are too few images, or the budget cannot be met.
    """
    begin = time.perf_counter()
    targets = candidates(network)
    ensure_decomposable(network, targets, images, settings)
    targets = without(targets, settings.keep)
    with FitThreadPool(settings.threads) as pool:
        work = _decomposed(network, targets, images, settings, pool, progress or (lambda what, share: None))
        return work.decomposition(begin)


def with_network(result: Decomposition, original: Network, network: Network, images: Array, *, seconds: float) -> Decomposition:
    """Return a decomposition with weights that were changed afterwards, in ``seconds``; its output error is measured again.

    ``images`` are those that the decomposition was made from.
    """
    held_back, threads = images[result.settings.calibration_count(len(images)) :], result.settings.threads
    outputs = (samples.outputs_of(each, held_back, threads=threads) for each in (original, network))
    error = samples.output_error(*outputs)
    return replace(result, network=network, output_error=error, seconds=result.seconds + seconds)


def _decomposed(
    network: Network,
    targets: Mapping[int, DecompositionTarget],
    images: Array,
    settings: DecomposeSettings,
    pool: FitThreadPool,
    report: ProgressCallback,
) -> LayerReplacement:
    """Choose a form for every target and fit it."""
    report("running the original network", 0.0)
    all_targets = convolutions(network)
    originals = samples.of_original(
        network, all_targets, images, count=settings.patches, seed=settings.seed, threads=settings.threads
    )
    selected, fitted = select(network, targets, originals, images, settings, pool, report)
    work = LayerReplacement(network, images, settings, pool, all_targets, originals, selected, fitted)
    work.run(report)
    return work


def ensure_decomposable(
    network: Network, targets: Mapping[int, DecompositionTarget], images: Array, settings: DecomposeSettings
) -> None:
    """Raise a `DecompositionError` if there are too few images, an unknown layer, or no target."""
    if len(images) < 2:
        raise DecompositionError(f"{len(images)} images; expected at least 2, better 300")
    wrong = [i for i in settings.keep if not 0 <= i < len(network.layers)]
    if wrong:
        raise DecompositionError(f"keep names layer {wrong[0]}; the network has {len(network.layers)}")
    if not targets:
        found = [layer for layer in network.layers if isinstance(layer, ConvolutionalLayer)]
        why = "; ".join(f"layer {layer.index}: {obstacle(network, layer)}" for layer in found[:4])
        raise DecompositionError(f"{network.cfg.file}: nothing to decompose ({why or 'no convolutions'})")
