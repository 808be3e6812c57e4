"""``NAME.quant.npz``: a quantization in one file, checked against its network before use.

The arrays ``layer_12.weights`` (F, C / groups, K, K) int8, ``layer_12.weight_scale`` and ``layer_12.bias`` (F,) float32 make layer
12 an int8 layer. ``bf16`` (n,) int32 lists the bf16 layers. ``tensors`` (m,) int32, ``scales`` (m,) float32 and ``zero_points``
(m,) uint8 describe the tensors of bytes, -1 being the image. The text ``format`` is the version, ``digest`` the SHA-256 of the
network's arrays; every other text is provenance.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.errors import QuantizationError
from yolodsc.files import regular_size, write_bytes
from yolodsc.network import Network
from yolodsc.precision.quantization import Int8Weights, Precision, Quantization, TensorScale
from yolodsc.precision.tensors import is_quantizable
from yolodsc.precision.validation import check_quantization
from yolodsc.schemas import open_npz

FORMAT = "yolodsc quantization 1"
MAX_BYTES = 2**31

_TABLES: Mapping[str, np.dtype[Any]] = {
    "bf16": np.dtype(np.int32),
    "tensors": np.dtype(np.int32),
    "scales": np.dtype(np.float32),
    "zero_points": np.dtype(np.uint8),
}
_PARTS: Mapping[str, tuple[np.dtype[Any], int]] = {
    "weights": (np.dtype(np.int8), 4),
    "weight_scale": (np.dtype(np.float32), 1),
    "bias": (np.dtype(np.float32), 1),
}
"""Type and number of dimensions of each array of a layer."""


def digest(network: Network) -> str:
    """SHA-256 of the network's arrays in the order of the weights file."""
    found = hashlib.sha256()
    for layer, weights in zip(network.layers, network.weights, strict=True):
        for name in layer.weight_shapes():
            found.update(np.ascontiguousarray(weights[name], np.float32).data)
    return found.hexdigest()


def write_quantization(path: str | Path, network: Network, quantization: Quantization) -> None:
    """Write a quantization of ``network``; a `QuantizationError` if it does not fit or the file cannot be written."""
    check_quantization(network, quantization, file=str(path))
    tensors = sorted(quantization.scales)
    bf16 = sorted(index for index, precision in quantization.layers.items() if precision == "bf16")
    entries: dict[str, Any] = {
        "format": np.array(FORMAT),
        "digest": np.array(digest(network)),
        **{name: np.array(text) for name, text in quantization.provenance.items()},
        "bf16": np.array(bf16, np.int32),
        "tensors": np.array(tensors, np.int32),
        "scales": np.array([quantization.scales[i].scale for i in tensors], np.float32),
        "zero_points": np.array([quantization.scales[i].zero_point for i in tensors], np.uint8),
    }
    for index, weights in sorted(quantization.weights.items()):
        parts = {"weights": weights.weights, "weight_scale": weights.scale, "bias": weights.bias}
        entries |= {f"layer_{index}.{name}": array for name, array in parts.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **entries)
    write_bytes(path, buffer.getvalue(), error=QuantizationError)


def read_quantization(path: str | Path, network: Network) -> Quantization:
    """Read a quantization and check it against its network.

    Raises
    ------
    QuantizationError
        The file cannot be read, has a wrong form, was made for other weights, or a value does not fit the network.
    """
    regular_size(path, max_bytes=MAX_BYTES, error=QuantizationError)
    with open_npz(Path(path), error=QuantizationError) as file:
        texts = file.texts()
        _check_texts(str(path), texts, network)
        shapes = _expected(network)
        for name, entry in file.entries.items():
            if name in texts:
                continue
            if name not in shapes:
                raise QuantizationError(f"{path}: {name}: got an array, expected the tables and parts of convolutional layers")
            dtype, shape = shapes[name]
            fits = entry.shape == shape if shape else len(entry.shape) == 1
            if entry.dtype != dtype or not fits:
                raise QuantizationError(f"{path}: {name}: got {entry}, expected {dtype} {shape or '(n,)'}")
        missing = [name for name in _TABLES if name not in file.entries]
        if missing:
            raise QuantizationError(f"{path}: {missing[0]}: is missing")
        arrays = {name: file.array(name) for name in file.entries if name not in texts}
    provenance = {name: text for name, text in texts.items() if name not in ("format", "digest")}
    quantization = _assembled(str(path), arrays, provenance)
    check_quantization(network, quantization, file=str(path))
    return quantization


def _check_texts(path: str, texts: dict[str, str], network: Network) -> None:
    if texts.get("format") != FORMAT:
        found = repr(texts["format"][:40]) if "format" in texts else "none"
        raise QuantizationError(f"{path}: format: got {found}, expected {FORMAT!r}")
    if texts.get("digest") != digest(network):
        raise QuantizationError(f"{path}: digest: made for other weights than those of {network.cfg.file}; run yolodsc quantize")


def _expected(network: Network) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of every array that the file may have; an empty shape stands for any length."""
    expected: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {name: (dtype, ()) for name, dtype in _TABLES.items()}
    for layer in network.layers:
        if is_quantizable(layer):
            shape = layer.kernel_shape()  # type: ignore[attr-defined]
            expected |= {f"layer_{layer.index}.{n}": (dtype, shape[:rank]) for n, (dtype, rank) in _PARTS.items()}
    return expected


def _assembled(path: str, arrays: dict[str, Any], provenance: dict[str, str]) -> Quantization:
    tensors, scales, zero_points, bf16 = (arrays[name] for name in ("tensors", "scales", "zero_points", "bf16"))
    if not len(tensors) == len(scales) == len(zero_points):
        found = f"{len(tensors)}, {len(scales)} and {len(zero_points)}"
        raise QuantizationError(f"{path}: tensors, scales, zero_points: got lengths {found}, expected equal lengths")
    for name, table in (("tensors", tensors), ("bf16", bf16)):
        if len(np.unique(table)) < len(table):
            raise QuantizationError(f"{path}: {name}: got an index twice, expected each once")
    weights = {}
    for index in sorted({int(name.split(".")[0].removeprefix("layer_")) for name in arrays if name.startswith("layer_")}):
        missing = [part for part in _PARTS if f"layer_{index}.{part}" not in arrays]
        if missing:
            raise QuantizationError(f"{path}: layer_{index}.{missing[0]}: is missing")
        weights[index] = Int8Weights(*(arrays[f"layer_{index}.{part}"] for part in _PARTS))
    layers: dict[int, Precision] = dict.fromkeys(weights, "int8")
    for index in bf16.tolist():
        if index in layers:
            raise QuantizationError(f"{path}: bf16: got layer {index}, which has 8-bit weights; expected one precision")
        layers[index] = "bf16"
    found_scales = {int(i): TensorScale(float(s), int(z)) for i, s, z in zip(tensors, scales, zero_points, strict=True)}
    return Quantization(layers, found_scales, weights, provenance)
