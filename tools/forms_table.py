"""Error of one layer by form at equal multiplications, with two forms that `decompose` does not offer.

Spatial: K x 1 to M channels, then 1 x K. A Darknet cfg has square kernels only, so it cannot be written; the cost here is that of
real K x 1 kernels. Pruned: input channels are left out, and the others compensate by least squares. The filters that give the
channels are left out too, so a share s of the channels has a share s^2 of the multiplications. Errors are those of held-back
images, as in docs/decomposition.md:

python tools/forms_table.py DIR --images LIST --layers 2,4,6
"""

import argparse

import numpy as np
import scipy.optimize

from yolodsc.decompose.calibration import patches, samples
from yolodsc.decompose.calibration.images import read_images
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import scaled_solve
from yolodsc.decompose.search import choices
from yolodsc.decompose.separation import separation_target
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.detection.model_files import resolve_model
from yolodsc.detection.sources import image_paths
from yolodsc.network.network import Network

RIDGE = 1e-7
OFFERED = ("als", "bs", "pdp", "tucker", "squeeze", "channel")


def main() -> None:
    """Print one table for each share of the multiplications."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", required=True)
    parser.add_argument("--layers", required=True)
    parser.add_argument("--shares", default="0.5,0.3333")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    files = resolve_model(options.model)
    network = Network.load(files.cfg, files.weights)
    shown = read_images(network, image_paths([options.images]), count=options.count, seed=0)
    layers = [int(i) for i in options.layers.split(",")]
    grams = {i: moments(network, separation_target(network, i), shown, options.threads) for i in layers}
    for share in (float(s) for s in options.shares.split(",")):
        print(f"\n| form, {share:g} of the multiplications |", " | ".join(f"layer {i}" for i in layers))
        print("|---" * (len(layers) + 1) + "|")
        for name in (*OFFERED, "spatial", "pruned"):
            cells = [error(separation_target(network, i), *grams[i], name, share) for i in layers]
            print(f"| {name} |", " | ".join("-" if e is None else f"{e:.3f}" for e in cells), "|", flush=True)


def moments(network: Network, target: DecompositionTarget, images: np.ndarray, threads: int) -> tuple[Gram, Gram]:
    """Moments of a layer on the images to fit on, and on the last tenth."""
    positions = patches.choose_positions(network, target.layer, images=len(images), count=100, seed=0)
    X = samples.inputs(network, target, target.layer.sources[0], positions, images, threads=threads)
    Y = samples.apply(target, X)
    cut = (len(images) - max(1, len(images) // 10)) * positions.rows.shape[1]
    return samples.gram(target, X[:cut], Y[:cut]), samples.gram(target, X[cut:], Y[cut:])


def error(target: DecompositionTarget, fitted: Gram, held_back: Gram, name: str, share: float) -> float | None:
    """Held-back error of a form with a share of the layer's multiplications; None if its smallest rank costs more."""
    if name == "spatial":
        k = round(fitted.taps**0.5)
        components = int(share * fitted.channels * fitted.taps * fitted.filters / (k * (fitted.channels + fitted.filters)))
        return held_back.error(spatial(fitted, components)) if components else None
    if name == "pruned":
        return held_back.error(pruned(fitted, max(round(fitted.channels * share**0.5), 1)))
    unit = choices.multiply_adds(target, choices.FactorizationChoice("als", 1))
    choice = choices.equal_cost(target, name, share * target.layer.multiply_adds() / unit)
    if choices.multiply_adds(target, choice) > 1.02 * share * target.layer.multiply_adds():
        return None
    return held_back.error(choices.dense(choices.fit(target, [fitted], choice)))


def spatial(gram: Gram, components: int, *, iterations: int = 60) -> Matrix:
    """Dense weights (C K K, F) of the best K x 1, 1 x K pair: the second factor in closed form, the first by L-BFGS."""
    c, k = gram.channels, round(gram.taps**0.5)
    tensor = gram.G.reshape(c * k, k, c * k, k)
    T = gram.T.reshape(c * k, k, -1)
    scale = 1 / np.sqrt(np.einsum("akak->a", tensor) / k + 1e-30)
    unfolded = (scale[:, None, None] * T).reshape(c * k, -1)
    first = np.linalg.svd(unfolded, full_matrices=False)[0][:, :components]
    components = first.shape[1]

    def solved(z: Matrix) -> tuple[Matrix, Matrix]:
        U = scale[:, None] * z.reshape(c * k, components)
        half = np.tensordot(tensor, U, axes=(2, 0))  # (C K, K, K, M)
        G = np.tensordot(U, half, axes=(0, 0)).transpose(0, 1, 3, 2).reshape(components * k, components * k)
        V = scaled_solve((G + G.T) / 2, np.tensordot(U, T, axes=(0, 0)).reshape(components * k, -1), ridge=RIDGE)
        return np.tensordot(U, V.reshape(components, k, -1), axes=(1, 0)).reshape(c * k * k, -1), V

    def objective(z: Matrix) -> tuple[float, Matrix]:
        W, V = solved(z)
        residual = gram.G @ W - gram.T
        value = gram.yy + float(np.sum((residual - gram.T) * W))
        dU = 2 * np.einsum("akf,mkf->am", residual.reshape(c * k, k, -1), V.reshape(components, k, -1), optimize=True)
        return value / gram.yy, (scale[:, None] * dU).ravel() / gram.yy

    found = scipy.optimize.minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return solved(found.x)[0]


def pruned(gram: Gram, kept: int) -> Matrix:
    """Dense weights (C K K, F) that are zero for all but ``kept`` channels; the one that adds least is left out first."""
    alive = list(range(gram.channels))
    inverse = np.linalg.inv(gram.G + 1e-6 * np.trace(gram.G) / len(gram.G) * np.eye(len(gram.G)))
    W = inverse @ gram.T
    while len(alive) > kept:
        blocks = {i: gram.block(i) for i in alive}
        losses = {i: float(np.sum(W[b] * np.linalg.solve(inverse[b, b], W[b]))) for i, b in blocks.items()}
        worst = min(alive, key=lambda i: losses[i])
        b = blocks[worst]
        gain = np.linalg.solve(inverse[b, b], np.hstack([inverse[b], W[b]]))
        change = inverse[:, b] @ gain
        inverse, W = inverse - change[:, : len(inverse)], W - change[:, len(inverse) :]
        alive.remove(worst)
    return W


if __name__ == "__main__":
    main()
