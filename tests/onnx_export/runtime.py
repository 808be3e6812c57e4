"""One network on the reference kernels and, as an ONNX model, in ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yolodsc.arrays import Array
from yolodsc.convert.onnx.export import Heads, export_onnx
from yolodsc.network.network import Network

TOLERANCE = 2e-5
"""Of an output's largest number; the largest difference of all networks here and in the reference material is 6e-6."""


def onnx_outputs(path: Path, images: Array) -> dict[str, Array]:
    """Return ONNX Runtime's outputs by name, of a model file and images (N, C, H, W)."""
    runtime: Any = pytest.importorskip("onnxruntime")
    onnx: Any = pytest.importorskip("onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"picture": images}), strict=True))


def difference(network: Network, folder: Path, *, heads: Heads = "activated", images: int = 2, seed: int = 0) -> float:
    """Return the largest difference of any layer's output, relative to the output's largest number."""
    x = np.random.default_rng(seed).uniform(0, 1, (images, *network.input_shape)).astype(np.float32)
    path = folder / "network.onnx"
    export_onnx(network, path, outputs=range(len(network.layers)), heads=heads, dynamic_batch=True)
    found = onnx_outputs(path, x)
    outputs = [network.forward(image) for image in x]
    return max(_relative(found[f"layer_{i}"], _expected(network, outputs, i, heads)) for i in range(len(network.layers)))


def _expected(network: Network, outputs: Sequence[Sequence[Array]], index: int, heads: Heads) -> Array:
    raw = heads == "raw" and network.layers[index] in network.heads
    source = network.layers[index].sources[0] if raw else index
    return np.stack([one[source] for one in outputs])


def _relative(found: Array, expected: Array) -> float:
    assert found.shape == expected.shape
    assert np.isfinite(expected).all()
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6))
