"""The table of docs/quantization.md: accuracy of networks in float32, bf16 and int8.

    python tools/precision_table.py --data VOCdevkit/VOC2007 --set test NETWORK=QUANTIZED …
    python tools/precision_table.py --data DATA --peers openvino-int8 --calibration IMAGES --json F NETWORK=QUANTIZED …

NETWORK is a directory, a file or a name; QUANTIZED the directory that ``yolodsc quantize`` or ``yolodsc finetune --precision int8``
wrote for it. float32 and bf16 are those of NETWORK. The mAP is that of the rule voc10, for networks with the classes of the set.
F1 compares detections of score .25 with those in float32 (same class, IoU over .5). Peers quantize NETWORK themselves and run on
the same images.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench import OUR_ENGINE, benchmark_subject
from yolodsc.bench.agreement import agreements
from yolodsc.bench.timing import start_workers
from yolodsc.decompose import f1_of, read_images
from yolodsc.detection import Detector, ModelFiles, image_paths, read_network, resolve_model
from yolodsc.evaluation import (
    RULES,
    Dataset,
    Format,
    ImageDetections,
    InputReport,
    detection_table,
    read_dataset,
    run_inference,
    score_detections,
)
from yolodsc.network import Candidates, Network
from yolodsc.precision import PRECISIONS, Quantization, quantization_for

Figures = dict[str, float]
"""mAP in per cent, F1, and the share of multiply-adds in bf16."""

CALIBRATION_IMAGES = 300
LOWEST, COMPARED = 0.005, 0.25
"""Least score of a detection that counts for the mAP, as in ``detector valid``, and for F1."""


def main() -> None:
    """Print one line for each network and precision, and one for each peer."""
    given = _arguments().parse_args()
    print("| network | precision | mAP, voc10 | difference | F1 with float32 | multiply-adds in bf16 |\n|---|---|---|---|---|---|")
    found: dict[str, Figures] = {}
    for words in given.networks:
        original, _, quantized = words.partition("=")
        files = resolve_model(original)
        name, network = files.cfg.stem, read_network(files)
        dataset, labelled = read_images_of(given.data, given.set, files)
        own = accuracies(files, resolve_model(quantized), dataset, labelled=labelled, threads=given.threads)
        for entry, figures in own:
            print_line(name, entry, figures, own[0][1])
            found.setdefault(name, {})[entry] = figures
        if given.peers:
            images = read_images(network, image_paths([str(given.calibration)]), count=CALIBRATION_IMAGES, seed=0)
            for entry, f1 in peer_agreements(name, network, dataset, images, given.peers.split(","), given.keep).items():
                found[name][entry] = {"f1": round(f1, 4)}
                print_line(name, entry, found[name][entry], {})
        if given.json is not None:
            given.json.write_text(json.dumps({"accuracy": found}, indent=1) + "\n")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default="", help="engines of yolodsc bench")
    parser.add_argument("--calibration", type=Path, help="images that peers calibrate on")
    parser.add_argument("--keep", type=Path, help="existing directory of the networks that peers make")
    parser.add_argument("--json", type=Path)
    parser.add_argument("networks", nargs="+", metavar="NETWORK=QUANTIZED")
    return parser


def read_images_of(data: Path, chosen: str | None, files: ModelFiles) -> tuple[Dataset, bool]:
    """The images, and whether they are labelled with classes of the network, which then has the classes of the dataset."""
    names = tuple(name.strip() for name in files.names.read_text().split("\n") if name.strip()) if files.names else ()
    dataset = read_dataset(data, Format(), InputReport(), chosen=chosen)
    if not set(dataset.names) <= set(names):
        own = read_dataset(data, Format(names=names), InputReport(), chosen=chosen)
        return (own, True) if own.names == names else (dataset, False)
    return dataset.with_names(names), True


def accuracies(
    files: ModelFiles, int8_files: ModelFiles, dataset: Dataset, *, labelled: bool, threads: int
) -> list[tuple[str, Figures]]:
    """mAP, F1 and the share in bf16 by precision."""
    rows: list[tuple[str, Figures]] = []
    first: list[Candidates] = []
    for precision in PRECISIONS:
        chosen = int8_files if precision == "int8" else files
        network = read_network(chosen)
        quantization = quantization_for(precision, network, *chosen.paths)
        found = detected(network, dataset, precision, quantization, threads=threads)
        compared = [candidates(network, entry) for entry in found]
        first = first or compared
        figures = {"f1": round(f1_of(first, compared), 4)}
        if labelled:
            figures["map"] = round(mean_ap(dataset, found), 2)
        if quantization:
            figures["bf16_share"] = round(bf16_share(network, quantization), 3)
        rows.append((precision, figures))
    return rows


def print_line(name: str, entry: str, figures: Figures, first: Figures) -> None:
    """One line of the table."""
    score = figures.get("map")
    cells = [name, entry, "" if score is None else f"{score:.2f}", "" if score is None else f"{score - first['map']:+.2f}"]
    cells += [f"{figures['f1']:.4f}", f"{100 * figures['bf16_share']:.0f} %" if "bf16_share" in figures else ""]
    print("| " + " | ".join(cells) + " |")
    sys.stdout.flush()


def peer_agreements(
    name: str, network: Network, dataset: Dataset, calibration: Array, peers: list[str], keep: Path | None
) -> dict[str, float]:
    """F1 of other engines against ours in float32, by engine."""
    images = read_images(network, [str(path) for path in dataset.paths or ()], count=len(dataset.ids), seed=0)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        subject = benchmark_subject(name, network, Path(folder), calibration=calibration, keep=keep)
        workers, missing = start_workers(subject, [OUR_ENGINE, *peers], stack, threads=1)
        for one in missing:
            print(f"{one.engine}: {one.reason}", file=sys.stderr)
        found = agreements(subject, workers, OUR_ENGINE, images)
    return {engine: f1 for engine, f1 in found.items() if engine != OUR_ENGINE}


def detected(
    network: Network, dataset: Dataset, precision: str, quantization: Quantization | None, *, threads: int
) -> list[ImageDetections]:
    """Detections in all images of the set; JPEGs are decoded in the same way in every precision."""
    options = {"precision": precision, "quantization": quantization, "decoder": "fast"}
    detector = Detector(network, thresh=LOWEST, threads=1, streams=threads, **options)
    try:
        return list(run_inference(dataset, detector))
    finally:
        detector.close()


def mean_ap(dataset: Dataset, found: list[ImageDetections]) -> float:
    """Mean AP in per cent."""
    rule, table = RULES["voc10"], detection_table(dataset, found)
    scores = score_detections([rule], dataset.ground_truth, table, classes=len(dataset.names), images=len(dataset.ids))
    return 100 * (scores[rule.name].mean_ap or 0.0)


def candidates(network: Network, entry: ImageDetections) -> Candidates:
    """The detections of one image over the compared score."""
    kept = [n for n, score in enumerate(entry.scores) if score > COMPARED]
    corners = np.array([entry.boxes[n] for n in kept], np.float32).reshape(-1, 4)
    boxes = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    probabilities = np.zeros((len(kept), max((head.classes for head in network.heads), default=1)), np.float32)
    for row, n in enumerate(kept):
        probabilities[row, entry.class_ids[n]] = entry.scores[n]
    return Candidates(boxes, probabilities.max(axis=1, initial=0), probabilities)


def bf16_share(network: Network, quantization: Quantization) -> float:
    """Share of the multiply-adds of all layers in reduced precision that run in bf16."""
    macs = {index: network.layers[index].multiply_adds() for index in quantization.layers}
    return sum(macs[index] for index, precision in quantization.layers.items() if precision == "bf16") / max(sum(macs.values()), 1)


if __name__ == "__main__":
    main()
