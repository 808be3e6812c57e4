"""The table of docs/quantization.md: accuracy of networks in float32, bf16 and int8.

    python tools/precision_table.py --voc VOCdevkit/VOC2007 --set test NETWORK=QUANTIZED …

NETWORK is a directory, a file or a name; QUANTIZED the directory that ``yolodsc quantize`` or ``yolodsc finetune --precision int8``
wrote for it. float32 and bf16 are those of NETWORK. The mAP is that of the rule voc10, for networks with the classes of the set.
F1 compares detections of score .25 with those in float32 (same class, IoU over .5).
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from yolodsc.decompose import f1_of
from yolodsc.detection import Detector, ModelFiles, read_network, resolve_model
from yolodsc.evaluation import (
    RULES,
    Dataset,
    ImageDetections,
    InputReport,
    detection_table,
    read_voc,
    run_inference,
    score_detections,
)
from yolodsc.network import Candidates, Network
from yolodsc.precision import PRECISIONS, Quantization, quantization_for

LOWEST, COMPARED = 0.005, 0.25
"""Least score of a detection that counts for the mAP, as in ``detector valid``, and for F1."""


def main() -> None:
    """Print one line for each network and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voc", type=Path, required=True)
    parser.add_argument("--set", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("networks", nargs="+", metavar="NETWORK=QUANTIZED")
    given = parser.parse_args()
    print("| network | precision | mAP, voc10 | difference | F1 with float32 | multiply-adds in bf16 |\n|---|---|---|---|---|---|")
    for words in given.networks:
        original, _, quantized = words.partition("=")
        files, int8_files = resolve_model(original), resolve_model(quantized)
        names = tuple(files.names.read_text().split("\n")) if files.names else ()
        dataset = read_voc(given.voc, given.set, InputReport())
        labelled = set(dataset.names) <= set(names)
        if labelled:
            dataset = dataset.with_names([name.strip() for name in names if name.strip()])
        lines(Path(original).name, files, int8_files, dataset, labelled=labelled, threads=given.threads)


def lines(name: str, files: ModelFiles, int8_files: ModelFiles, dataset: Dataset, *, labelled: bool, threads: int) -> None:
    """Print the lines of one network."""
    first: tuple[list[Candidates], float] | None = None
    for precision in PRECISIONS:
        chosen = int8_files if precision == "int8" else files
        network = read_network(chosen)
        quantization = quantization_for(precision, network, *chosen.paths)
        found = detected(network, dataset, precision, quantization, threads=threads)
        score = mean_ap(dataset, found) if labelled else 0.0
        compared = [candidates(network, entry) for entry in found]
        first = first or (compared, score)
        cells = [name, precision, f"{score:.2f}" if labelled else "", f"{score - first[1]:+.2f}" if labelled else ""]
        cells += [f"{f1_of(first[0], compared):.4f}", f"{100 * bf16_share(network, quantization):.0f} %" if quantization else ""]
        print("| " + " | ".join(cells) + " |")
        sys.stdout.flush()


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
