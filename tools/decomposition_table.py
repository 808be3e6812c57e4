"""What decomposition costs in accuracy and saves in work, for one network, without fine-tuning: a table in Markdown.

Calibrates on one set of images without labels, scores the original and every decomposed network on another set by one rule, and
times all networks on the engine in interleaved rounds. Example, as in docs/decomposition.md:

python tools/decomposition_table.py DIR --calibrate VOC2007:calib300 --score VOC2007:test auto:.2125 auto:.325 auto:.441

A dataset is ROOT:SET for a VOC tree, or a folder of YOLO label files with the images beside them. A run is METHOD:NUMBER, the
number being the budget's share for auto and the rank for every other method.
"""

import argparse
import platform
from pathlib import Path

import numpy as np

import yolodsc
from yolodsc.darknet.names import read_names
from yolodsc.decompose.calibration.images import read_images
from yolodsc.decompose.driver import decompose
from yolodsc.decompose.search.time_model import Timer
from yolodsc.decompose.settings import DecomposeSettings
from yolodsc.detection.detector import Detector
from yolodsc.detection.model_files import resolve_model
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.text import read_folder
from yolodsc.evaluation.datasets.voc import read_voc
from yolodsc.evaluation.evaluation import evaluate
from yolodsc.evaluation.inference import detection_table, run_inference
from yolodsc.evaluation.metrics.rules import rules_named
from yolodsc.network.network import Network


def main() -> None:
    """Measure and print, a row at a time."""
    options = arguments()
    files = resolve_model(options.model)
    names = read_names(files.names)
    network = Network.load(files.cfg, files.weights)
    shown = read_images(network, images(options.calibrate), count=options.count, seed=options.seed)
    dataset = labelled(options.score, names)
    whole, timer = megas(network), Timer(options.threads)
    original = mean_ap(network, names, dataset, options)
    print(f"`{Path(options.model).name}`, rule {options.rule}, {len(dataset.ids)} images, seed {options.seed};", end=" ")
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, yolodsc {yolodsc.__version__}\n")
    print("| method | MMAC | share | output error | mAP | of the original's | time of the original's | s |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| original | {whole:.1f} | 1 | 0 | {100 * original:.2f} | 100 % | 1 | |", flush=True)
    for run in options.runs:
        method, number = run.split(":")
        ask = {"budget": float(number)} if method == "auto" else {"rank": float(number)}
        keep = tuple(int(i) for i in options.keep.split(",") if i)
        settings = DecomposeSettings(method=method, seed=options.seed, threads=options.threads, keep=keep, **ask)
        result = decompose(network, shown, settings)
        found = mean_ap(result.network, names, dataset, options)
        cost, ratio = megas(result.network), time_ratio(timer, network, result.network)
        share = f"{100 * found / original:.1f} %" if original else "-"
        columns = (f"{method} {number}", f"{cost:.1f}", f"{cost / whole:.3f}", f"{result.output_error:.3f}")
        print("|", " | ".join((*columns, f"{100 * found:.2f}", share, f"{ratio:.2f}", f"{result.seconds:.0f}")), "|", flush=True)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            stem = options.save / f"{files.cfg.stem}-{method}-{number}"
            result.network.save(stem.with_name(stem.name + ".cfg"), stem.with_name(stem.name + ".weights"))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--score", required=True)
    parser.add_argument("--rule", default="voc10")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--keep", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", type=Path)
    return parser.parse_args()


def labelled(source: str, names: tuple[str, ...]) -> Dataset:
    """A VOC image set or a folder of YOLO labels, its classes numbered as the network's."""
    report = InputReport()
    if ":" in source:
        root, chosen = source.split(":")
        dataset = read_voc(Path(root), chosen, report)
    else:
        dataset = read_folder(Path(source), "yolo", report, names=names)
    return dataset.with_names(names)


def images(source: str) -> list[str]:
    """Their paths alone."""
    return [str(path) for path in labelled(source, ()).paths or ()]


def mean_ap(network: Network, names: tuple[str, ...], dataset: Dataset, options: argparse.Namespace) -> float:
    """Mean AP over the classes that the labels have and the network knows."""
    detector = Detector(network, names, thresh=0.005, threads=options.threads)
    found = detection_table(dataset, list(run_inference(dataset, detector)))
    detector.close()
    unknown = frozenset(range(len(dataset.names))) - frozenset(np.unique(dataset.ground_truth.class_id).tolist())
    unknown |= frozenset(range(len(names), len(dataset.names)))
    (result,) = evaluate(dataset, found, rules_named(options.rule), missing=unknown).results.values()
    return float(result.mean_ap or 0.0)


def megas(network: Network) -> float:
    """Millions of multiplications for one image."""
    return network.multiply_adds / 1e6


def time_ratio(timer: Timer, original: Network, decomposed: Network) -> float:
    """Milliseconds after over before, the best of five interleaved rounds each."""
    rounds = [(timer.network(original), timer.network(decomposed)) for _ in range(5)]
    before, after = (min(column) for column in zip(*rounds, strict=True))
    return after / before


if __name__ == "__main__":
    main()
