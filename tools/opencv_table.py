"""Time of the usual OpenCV script with ``cv2.dnn`` of OpenCV 4 and with ``yolodsc.cv2dnn``, as a table.

    python tools/opencv_table.py PHOTO NETWORK.cfg ... [--rounds N]

Each network needs its ``.weights`` file beside its cfg. One round runs both modules, in alternating order, in one process, on all
cores. The columns are minima in milliseconds, which other work on the machine disturbs least, and medians of the ratio of a round:
of ``setInput`` and ``forward`` alone, and of the whole script with blob, network, loop over rows and suppression.
"""

import argparse
import platform
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from yolodsc import cv2dnn


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("cfgs", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    image = cv2.imread(options.photo)
    if image is None:
        parser.error(f"{options.photo}: no image")
    print(f"OpenCV {cv2.__version__}, {cv2.getNumThreads()} threads, {platform.processor() or platform.machine()}\n")
    print("| network | forward: OpenCV 4, ms | yolodsc, ms | ratio | whole script: OpenCV 4, ms | yolodsc, ms | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for cfg in options.cfgs:
        cells = " | ".join(f"{cell:.2f}" for cell in compared(cfg, image, options.rounds))
        print(f"| {cfg.stem} | {cells} |", flush=True)


def compared(cfg: Path, image: Any, rounds: int) -> list[float]:
    """The cells of a row."""
    nets = [module.readNetFromDarknet(str(cfg), str(cfg.with_suffix(".weights"))) for module in (cv2.dnn, cv2dnn)]
    height, width = size_of(cfg)
    times: list[list[tuple[float, float]]] = [[], []]
    for number in range(-3, rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            measured = script(nets[which], image, (width, height))
            if number >= 0:
                times[which].append(measured)
    cells = []
    for part in (0, 1):
        theirs, ours = ([one[part] for one in times[which]] for which in (0, 1))
        ratio = median(a / b for a, b in zip(theirs, ours, strict=True))
        cells += [1e3 * min(theirs), 1e3 * min(ours), ratio]
    return cells


def script(net: Any, image: Any, size: tuple[int, int]) -> tuple[float, float]:
    """Seconds of the network, and of the whole script."""
    start = perf_counter()
    height, width = image.shape[:2]
    blob = cv2.dnn.blobFromImage(image, 1 / 255, size, swapRB=True, crop=False)
    names = net.getUnconnectedOutLayersNames()
    before = perf_counter()
    net.setInput(blob)
    outputs = net.forward(names)
    network = perf_counter() - before
    boxes, confidences, class_ids = [], [], []
    for output in outputs:
        for detection in output:
            scores = detection[5:]
            class_id = int(np.argmax(scores))
            if scores[class_id] > 0.5:
                x, y, w, h = detection[:4] * np.array([width, height, width, height])
                boxes.append([int(x - w / 2), int(y - h / 2), int(w), int(h)])
                confidences.append(float(scores[class_id]))
                class_ids.append(class_id)
    cv2.dnn.NMSBoxes(boxes, confidences, 0.5, 0.4)
    return network, perf_counter() - start


def size_of(cfg: Path) -> tuple[int, int]:
    """Height and width of the network's input."""
    net = cv2dnn.readNetFromDarknet(str(cfg))
    assert net.network is not None
    return net.network.input_shape[1:]


if __name__ == "__main__":
    main()
