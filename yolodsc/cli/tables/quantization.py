"""Tables of ``yolodsc quantize``."""

from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import styled
from yolodsc.quantize import QuantizedCost, QuantizedNetwork


def quantization_lines(result: QuantizedNetwork, cost: QuantizedCost) -> list[str]:
    """The layers with their errors, both precisions beside each other, and the error of the output."""
    rows = [("layer", "precision", "MMAC", "error of weights", "error at the heads")]
    for layer in result.layers:
        weights = f"{layer.weight_error:.4f}" if layer.precision == "int8" else "-"
        rows.append((str(layer.index), layer.precision, f"{layer.multiply_adds / 1e6:.2f}", weights, f"{layer.input_error:.4f}"))
    equalized = "equalized" if result.equalized else "not equalized"
    lines = [*aligned(rows, left=2), "", *_costs(cost), ""]
    lines.append(f"output error on held-back images {result.output_error:.3f}; {equalized}; {result.seconds:.0f} s")
    if result.agreement is not None:
        everywhere, held_back = result.agreement
        found = f"{held_back:.3f} on held-back images, {everywhere:.3f} on all"
        lines.append(styled(f"detections that agree (F1, score .25, IoU .5): {found}", "bold"))
    return lines


def _costs(cost: QuantizedCost) -> list[str]:
    pairs = [("weights, kB", cost.weight_bytes[0] / 1e3, cost.weight_bytes[1] / 1e3)]
    pairs += [("ms an image", *cost.milliseconds)] if cost.milliseconds else []
    rows = [("", "float32", "int8", "ratio"), *((name, f"{a:.2f}", f"{b:.2f}", f"{b / a:.3f}") for name, a, b in pairs)]
    return aligned(rows, left=1, bold=(3,))
