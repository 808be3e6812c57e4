"""Frames per second of Ultralytics on a video: ``python tools/bench/ultralytics_video.py VIDEO``, in an environment that has it.

The network is YOLOv8n with random weights (a download is not needed), at an input size with about the multiply-adds of the network
that it stands beside. The loop is ``YOLO.predict(..., stream=True)``, which decodes, resizes, runs and suppresses.
"""

import argparse
from importlib import import_module
from time import perf_counter, process_time
from typing import Any


def main() -> None:
    """Read the command line, measure, and print the best round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("--size", type=int, default=160, help="side of the network's input")
    parser.add_argument("--model", default="yolov8n.yaml")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    ultralytics = import_module("ultralytics")
    network: Any = ultralytics.YOLO(options.model)
    best = min(timed(network, options.video, options.size) for _ in range(options.rounds))
    print(f"ultralytics {ultralytics.__version__}, {options.model} at {options.size}: {network.info(imgsz=options.size)}")
    print(f"{1000 / best[0]:7.1f} fps {best[0]:7.2f} ms, {best[1]:6.2f} ms of processor time a frame")


def timed(network: Any, video: str, size: int) -> tuple[float, float]:
    """Milliseconds a frame, by the clock and of processor time."""
    start, cpu = perf_counter(), process_time()
    count = sum(1 for _ in network.predict(video, imgsz=size, conf=0.25, stream=True, verbose=False, device="cpu"))
    return (perf_counter() - start) / count * 1000, (process_time() - cpu) / count * 1000


if __name__ == "__main__":
    main()
