"""The table of docs/convert.md: exported networks in other programs, against the reference.

python tools/onnx_table.py FOLDER   # a folder with a folder for each network: NAME/NAME.cfg and NAME/NAME.weights
"""

import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import openvino

from yolodsc.arrays import Array
from yolodsc.convert.onnx.export import export_onnx
from yolodsc.network.network import Network

Run = Callable[[Path, Array, Sequence[str]], Sequence[Any]]
"""Outputs by name of a model file for images (1, C, H, W)."""


def in_onnxruntime(path: Path, x: Array, names: Sequence[str]) -> Sequence[Any]:
    """One thread, all optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(path, options)
    return session.run(list(names), {"picture": x})


def in_opencv(path: Path, x: Array, names: Sequence[str]) -> Sequence[Any]:
    """The importer of ``cv2.dnn``."""
    reader = cv2.dnn.readNetFromONNX(str(path))
    reader.setInput(x)
    return reader.forward(list(names))


def in_openvino(path: Path, x: Array, names: Sequence[str]) -> Sequence[Any]:
    """Float32 throughout."""
    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    found = model(x)
    return [found[name] for name in names]


def difference(network: Network, outputs: Sequence[int], run: Run) -> float:
    """Largest difference from the reference, relative to the largest number of each output."""
    x = np.random.default_rng(0).uniform(0, 1, network.input_shape).astype(np.float32)
    expected = network.forward(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(network, path, outputs=outputs)
        found = run(path, x[None], [f"layer_{index}" for index in outputs])
    pairs = [(output[0], expected[index]) for index, output in zip(outputs, found, strict=True)]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def main() -> None:
    """One row a network."""
    programs = ("onnx", "onnxruntime", "openvino", "opencv-python")
    print(f"{platform.machine()}, one thread, " + ", ".join(f"{name} {version(name)}" for name in programs) + "\n")
    print("| network | layers | ONNX Runtime, every layer | ONNX Runtime | OpenVINO | OpenCV |\n|---|---|---|---|---|---|")
    for cfg in sorted(Path(sys.argv[1]).glob("[!_]*/*.cfg")):
        network = Network.load(cfg, cfg.with_suffix(".weights"))
        heads = [head.index for head in network.heads] or [network.output]
        cells = [difference(network, range(len(network.layers)), in_onnxruntime)]
        cells += [difference(network, heads, run) for run in (in_onnxruntime, in_openvino, in_opencv)]
        print(f"| {cfg.stem} | {len(network.layers)} | " + " | ".join(f"{cell:.1e}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
