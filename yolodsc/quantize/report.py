"""Reports on a quantization in Markdown, JSON and as a chart, and what is odd about its images."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.errors import MissingExtraError, QuantizationError
from yolodsc.files import replacing
from yolodsc.network import Network
from yolodsc.quantize.settings import QuantizedNetwork
from yolodsc.quantize.time_model import milliseconds
from yolodsc.schemas import dump_json, replace_nonfinite

FEW_IMAGES = 32
"""Fewer images determine neither ranges nor rounding well."""

FLAT = 0.02
"""Standard deviation of an image of nearly one colour; pixels are 0 to 1."""


@dataclass(frozen=True, slots=True)
class QuantizedCost:
    """Cost in float32 and in int8.

    Attributes
    ----------
    weight_bytes
        Of all convolutions.
    milliseconds
        Of one image on this machine, or None where it has no int8 kernels.
    """

    weight_bytes: tuple[int, int]
    milliseconds: tuple[float, float] | None


def quantized_cost(original: Network, result: QuantizedNetwork, *, threads: int) -> QuantizedCost:
    """Bytes and times; times are the best of interleaved rounds."""
    sizes = {
        layer.index: arrays["weights"].size
        for layer, arrays in zip(original.layers, original.weights, strict=True)
        if "weights" in arrays
    }
    bf16 = {index: 2 for index, precision in result.quantization.layers.items() if precision == "bf16"}
    before = 4 * sum(sizes.values())
    after = sum(size * (1 if index in result.quantization.weights else bf16.get(index, 4)) for index, size in sizes.items())
    if engine.select_backend(None).isa is None:
        return QuantizedCost((before, after), None)
    pairs = [
        (milliseconds(original, None, threads=threads), milliseconds(result.network, result.quantization, threads=threads))
        for _ in range(3)
    ]
    first, second = (min(column) for column in zip(*pairs, strict=True))
    return QuantizedCost((before, after), (first, second))


def quantization_markdown(result: QuantizedNetwork, cost: QuantizedCost) -> str:
    """The table of layers, the errors and the costs."""
    lines = ["| layer | precision | MMAC | error of weights | error of input at the heads |", "|---|---|---|---|---|"]
    for layer in result.layers:
        weight = f"{layer.weight_error:.4f}" if layer.precision == "int8" else ""
        macs = layer.multiply_adds / 1e6
        lines.append(f"| {layer.index} | {layer.precision} | {macs:.2f} | {weight} | {layer.input_error:.4f} |")
    equalized = "The network is equalized." if result.equalized else "The network is not equalized."
    lines += ["", f"Output error on held-back images: {result.output_error:.3f}. {equalized} Time taken: {result.seconds:.0f} s."]
    lines += ["", "| | float32 | int8 | ratio |", "|---|---|---|---|", *_rows(cost)]
    if result.agreement is not None:
        everywhere, held_back = result.agreement
        found = f"{held_back:.3f} on held-back images, {everywhere:.3f} on all"
        lines += ["", f"Detections that agree (F1, score .25, IoU .5): {found}"]
    return "\n".join(lines) + "\n"


def write_quantization_report(folder: Path, result: QuantizedNetwork, cost: QuantizedCost) -> None:
    """``report.md``, ``report.json`` and ``report.png``; a `MissingExtraError` without Matplotlib."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "settings": asdict(result.settings),
        "seconds": result.seconds,
        "output_error": result.output_error,
        "agreement": result.agreement,
        "equalized": result.equalized,
        "layers": [asdict(layer) for layer in result.layers],
        "cost": asdict(cost),
    }
    json = dump_json(replace_nonfinite(data), file=folder / "report.json", error=QuantizationError, indent=1)
    for name, text in (("report.md", quantization_markdown(result, cost)), ("report.json", json + "\n")):
        with replacing(folder / name, error=QuantizationError) as file:
            file.write(text.encode())
    _draw(folder / "report.png", result)


def image_doubts(images: Array) -> list[str]:
    """What is odd about calibration images (N, C, H, W), each in a few words."""
    count = len(images)
    copies = count - len({hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images})
    flat = sum(float(image.std()) < FLAT for image in images)
    found = [f"{count} images are few, 300 are better"] if count < FEW_IMAGES else []
    found += [f"{copies} of {count} images are copies of others"] if copies else []
    return found + ([f"{flat} of {count} images have nearly one colour"] if flat else [])


def result_doubts(result: QuantizedNetwork) -> list[str]:
    """What is odd about a result: agreement without detections means nothing."""
    if result.agreement is None or result.detections:
        return []
    return ["the network detects nothing in these images, so the agreement means nothing"]


def _rows(cost: QuantizedCost) -> list[str]:
    pairs = [("weights, kB", cost.weight_bytes[0] / 1e3, cost.weight_bytes[1] / 1e3)]
    pairs += [("ms an image", *cost.milliseconds)] if cost.milliseconds else []
    return [f"| {name} | {a:.2f} | {b:.2f} | {b / a:.3f} |" for name, a, b in pairs]


def _draw(path: Path, result: QuantizedNetwork) -> None:
    """Draw both errors of every layer; layers in bf16 are grey."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plots", needed_for="the report's image") from None
    figure = Figure(figsize=(10, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    at = np.arange(len(result.layers))
    colours = ["tab:red" if layer.precision == "int8" else "tab:gray" for layer in result.layers]
    above.bar(at, [layer.input_error for layer in result.layers], color=colours)
    above.set_ylabel("error at the heads\nby the layer's input")
    below.bar(at, [layer.weight_error for layer in result.layers], color=colours)
    below.set_ylabel("error of the output\nby the layer's weights")
    below.set_xticks(at, [str(layer.index) for layer in result.layers], fontsize=6, rotation=90)
    with replacing(path, error=QuantizationError) as file:
        figure.savefig(file, format="png", dpi=120)
