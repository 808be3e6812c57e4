"""What decomposition costs in accuracy and saves in work, for one network, without fine-tuning: a table in Markdown.

Calibrates on one set of images without labels, scores the original and every decomposed network on another set by one rule, and
times all networks on the engine in interleaved rounds. Example, as in docs/decomposition.md:

python tools/decomposition_table.py DIR --calibrate VOC2007:calib300 --score VOC2007:test auto:.2125 auto:.325 auto:.441

A dataset is ROOT:SET for a VOC tree, a folder of YOLO label files with the images beside them, or (to calibrate) of images alone. A
run is METHOD:NUMBER, the number being the budget's share for auto and the rank for every other method. METHOD:NUMBER:PASSES also
refines all layers together, as `decompose --refine` does, and gives a second row.
"""

import argparse
import platform
import time
from pathlib import Path

import numpy as np

import yolodsc
from yolodsc.darknet.names import read_names
from yolodsc.decompose.calibration.images import draw_paths, read_drawn
from yolodsc.decompose.driver import decompose, with_network
from yolodsc.decompose.search.time_model import Timer
from yolodsc.decompose.settings import DecomposeSettings, Decomposition
from yolodsc.detection.detector import Detector
from yolodsc.detection.model_files import resolve_model
from yolodsc.detection.sources import image_paths
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.text import read_folder
from yolodsc.evaluation.datasets.voc import read_voc
from yolodsc.evaluation.evaluation import evaluate
from yolodsc.evaluation.inference import detection_table, run_inference
from yolodsc.evaluation.metrics.rules import rules_named
from yolodsc.network.network import Network
from yolodsc.training.refinement import refine


def main() -> None:
    """Measure and print, a row at a time."""
    options = arguments()
    files = resolve_model(options.model)
    names = read_names(files.names)
    network = Network.load(files.cfg, files.weights)
    drawn = draw_paths(images(options.calibrate), count=options.count, seed=options.seed)
    shown = read_drawn(network, drawn)
    dataset = labelled(options.score, names)
    whole, timer = megas(network), Timer(options.threads)
    original = mean_ap(network, names, dataset, options)
    print(f"`{Path(options.model).name}`, rule {options.rule}, {len(dataset.ids)} images, seed {options.seed};", end=" ")
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, yolodsc {yolodsc.__version__}\n")
    print("| method | MMAC | share | output error | mAP | of the original's | time of the original's | s |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| original | {whole:.1f} | 1 | 0 | {100 * original:.2f} | 100 % | 1 | |", flush=True)
    for run in options.runs:
        method, number, *passes = run.split(":")
        ask = {"budget": float(number)} if method == "auto" else {"rank": float(number)}
        keep = tuple(int(i) for i in options.keep.split(",") if i)
        settings = DecomposeSettings(method=method, seed=options.seed, threads=options.threads, keep=keep, **ask)
        results = {f"{method} {number}": decompose(network, shown, settings)}
        for each in passes:
            first = results[f"{method} {number}"]
            results[f"{method} {number}, {each} passes"] = refined(first, network, drawn, shown, float(each))
        for name, result in results.items():
            found, cost = mean_ap(result.network, names, dataset, options), megas(result.network)
            share = f"{100 * found / original:.1f} %" if original else "-"
            ratio = time_ratio(timer, network, result.network)
            cells = [name, f"{cost:.1f}", f"{cost / whole:.3f}", f"{result.output_error:.3f}", f"{100 * found:.2f}", share]
            print("|", " | ".join([*cells, f"{ratio:.2f}", f"{result.seconds:.0f}"]), "|", flush=True)
            save(result.network, options.save, f"{files.cfg.stem}-{name.replace(', ', '-').replace(' ', '-')}")


def refined(result: Decomposition, original: Network, paths: list[str], shown: np.ndarray, passes: float) -> Decomposition:
    """All layers after some passes over the images that they were fitted on."""
    begin, settings = time.perf_counter(), result.settings
    fitted = paths[: settings.calibration_count(len(paths))]
    network = refine(result.network, original, fitted, epochs=passes, seed=settings.seed, threads=settings.threads)
    return with_network(result, original, network, shown, seconds=time.perf_counter() - begin)


def save(network: Network, folder: Path | None, stem: str) -> None:
    """Write the pair, if there is a folder for it."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        network.save(folder / f"{stem}.cfg", folder / f"{stem}.weights")


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
    if ":" not in source and not list(Path(source).rglob("*.txt")):
        return image_paths([source])
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
