"""Tables of ``yolodsc decompose``."""

from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import styled
from yolodsc.decompose import Comparison, Decomposition


def decomposition_lines(result: Decomposition, comparison: Comparison) -> list[str]:
    """The layers, the error of the output, and both networks beside each other."""
    rows: list[tuple[str, ...]] = [("layer", "form", "MMAC", "->", "parameters", "->", "error", "held back", "")]
    for layer in result.layers:
        macs = [f"{count / 1e6:.2f}" for count in layer.multiply_adds]
        sizes = [str(count) for count in layer.parameters]
        errors = (f"{layer.error:.3f}", f"{layer.held_back:.3f}")
        rows.append((str(layer.index), str(layer.choice), macs[0], macs[1], sizes[0], sizes[1], *errors, layer.reason))
    lines = [*aligned(rows, left=2), "", *_networks(comparison), ""]
    lines.append(f"output error on held-back images {result.output_error:.3f}; {result.seconds:.0f} s")
    if comparison.agreement is not None:
        lines.append(styled(f"detections that agree (F1, score .25, IoU .5): {comparison.agreement:.3f}", "bold"))
    return lines


def _networks(c: Comparison) -> list[str]:
    pairs = (
        ("MMAC", c.multiply_adds[0] / 1e6, c.multiply_adds[1] / 1e6),
        ("weights, kB", c.bytes[0] / 1e3, c.bytes[1] / 1e3),
        ("ms an image", *c.milliseconds),
    )
    rows = [("", "original", "decomposed", "ratio")]
    rows += [(name, f"{a:.2f}", f"{b:.2f}", f"{b / a:.3f}") for name, a, b in pairs]
    return aligned(rows, left=1, bold=(3,))
