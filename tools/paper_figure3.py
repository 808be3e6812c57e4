"""Figure 3 of He et al. 2019 for a real network: relative error of every layer by method, on images held back from the fit.

Run: python tools/paper_figure3.py DIR --images PICTURES [--plot figure3.png]
"""

import argparse
from pathlib import Path

from yolodsc.decompose.calibration.images import read_images
from yolodsc.decompose.separation import separation_errors
from yolodsc.decompose.target import candidates
from yolodsc.detection.model_files import resolve_model
from yolodsc.detection.sources import image_paths
from yolodsc.network.network import Network

CLAIMS = (
    ("compensated < plain", "paper-compensated", "paper-plain"),
    ("plain < channel", "paper-plain", "channel"),
    ("compensated < channel", "paper-compensated", "channel"),
    ("ALS < compensated", "als", "paper-compensated"),
)


def main() -> None:
    """Print the table and the claims; draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--images", required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    files = resolve_model(options.model)
    network = Network.load(files.cfg, files.weights)
    shown = read_images(network, image_paths([options.images]), count=options.count, seed=0)
    layers = list(candidates(network))
    errors: dict[str, list[float]] = {}
    for index in layers:
        for row in separation_errors(network, index, shown, ranks=[1.0], threads=options.threads):
            errors.setdefault(row.method, []).append(row.held_back)
    print("| method |", " | ".join(f"layer {i}" for i in layers), "|\n" + "|---" * (len(layers) + 1) + "|")
    for method, values in errors.items():
        print(f"| {method} |", " | ".join(f"{value:.3f}" for value in values), "|")
    print()
    for claim, less, more in CLAIMS:
        holds = sum(a < b for a, b in zip(errors[less], errors[more], strict=True))
        print(f"- {claim}: on {holds} of {len(layers)} layers")
    if options.plot:
        draw(options.plot, layers, errors)


def draw(path: Path, layers: list[int], errors: dict[str, list[float]]) -> None:
    """Bars in groups, one group a layer."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for k, (method, values) in enumerate(errors.items()):
        axes.bar([i + 0.11 * k for i in range(len(layers))], values, width=0.1, label=method)
    axes.set_xticks([i + 0.3 for i in range(len(layers))], [f"layer {i}" for i in layers])
    axes.set_ylabel("relative error, held-back images")
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
