"""The table of docs/quantization.md: detections of quantized networks in other programs, as ONNX, against those of yolodsc.

    python tools/onnx_agreement.py --images LIST --count 60 QUANTIZED …

QUANTIZED is a directory that ``yolodsc quantize`` wrote. F1 compares detections of score .25 (same class, IoU over .5) with
yolodsc's in int8. ONNX Runtime runs both forms of the file, OpenVINO the usual one, in float32 and in its default precision.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import openvino

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.convert import export_onnx
from yolodsc.decompose import agreed_detections, f1_of, read_images
from yolodsc.detection import image_paths, read_network, resolve_model
from yolodsc.network import Candidates, Network
from yolodsc.precision import Quantization, quantization_for

Runner = Callable[[Array], dict[int, Array]]
"""From an image (C, H, W) to the outputs of the heads by layer index."""


def main() -> None:
    """Print one line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("networks", nargs="+", type=Path)
    given = parser.parse_args()
    print("| network | float32 | ONNX Runtime | `--exact` | OpenVINO, float32 | OpenVINO, default |\n|---|---|---|---|---|---|")
    for folder in given.networks:
        files = resolve_model(folder)
        network = read_network(files)
        quantization = quantization_for("int8", network, *files.paths)
        assert quantization is not None
        images = read_images(network, image_paths([given.images]), count=given.count, seed=0)
        scores = agreements(network, quantization, images)
        print("| " + " | ".join([folder.name, *(f"{score:.3f}" for score in scores)]) + " |")
        sys.stdout.flush()


def agreements(network: Network, quantization: Quantization, images: Array) -> list[float]:
    """F1 against our int8: of our float32, and of the other programs."""
    heads = [head.index for head in network.heads]
    options = {"threads": 1, "outputs": heads}
    with engine.compile(network, **options, precision="int8", quantization=quantization) as runner:
        expected = detections(network, runner, images)
    with engine.compile(network, **options) as runner:
        found = [detections(network, runner, images)]
    with TemporaryDirectory() as folder:
        fast, exact = Path(folder) / "fast.onnx", Path(folder) / "exact.onnx"
        export_onnx(network, fast, quantization=quantization)
        export_onnx(network, exact, quantization=quantization, int8_form="exact")
        runners = [onnxruntime_runner(fast), onnxruntime_runner(exact)]
        runners += [openvino_runner(fast, {"INFERENCE_PRECISION_HINT": "f32"}), openvino_runner(fast, {})]
        found += [detections(network, runner, images) for runner in runners]
    return [f1_of(expected, candidates) for candidates in found]


def detections(network: Network, runner: Runner, images: Array) -> list[Candidates]:
    """Detections in each image."""
    return [agreed_detections(network, runner(np.ascontiguousarray(image))) for image in images]


def onnxruntime_runner(path: Path) -> Runner:
    """One session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda image: _by_index(names, session.run(None, {session.get_inputs()[0].name: image[None]}))


def openvino_runner(path: Path, hints: dict[str, str]) -> Runner:
    """One compiled model on one thread."""
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": 1, **hints})
    names = [next(iter(output.names)) for output in model.outputs]
    return lambda image: _by_index(names, [np.array(output) for output in model([image[None]]).values()])


def _by_index(names: list[str], outputs: list[Array]) -> dict[int, Array]:
    return {int(name.split("_")[1]): output[0] for name, output in zip(names, outputs, strict=True)}


if __name__ == "__main__":
    main()
