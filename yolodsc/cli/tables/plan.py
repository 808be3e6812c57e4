"""The plan of a network as a table, with times if they were measured."""

from collections.abc import Sequence
from typing import Any

from yolodsc.cli.tables.table import aligned
from yolodsc.engine import PlanEntry


def plan_lines(entries: Sequence[PlanEntry], seconds: Sequence[float] | None) -> list[str]:
    """A heading and one line for each operation."""
    heading: tuple[str, ...] = ("layers", "operation", "output", "precision", "layout", "tile", "MMAC", "KB")
    rows = [_cells(entry) for entry in entries]
    if seconds is not None:
        heading = (*heading, "ms", "GFLOP/s")
        rows = [(*row, *_times(entry, s)) for row, entry, s in zip(rows, entries, seconds, strict=True)]
    return [*aligned([heading, *rows], left=6)]


def plan_json(entries: Sequence[PlanEntry], seconds: Sequence[float] | None) -> list[dict[str, Any]]:
    """The ``plan`` of ``summary --json``."""
    return [
        {
            "operation": entry.name,
            "layers": list(entry.layers),
            "output": list(entry.shape),
            "precision": entry.precision,
            "layout": entry.layout,
            "tile": entry.tile,
            "macs": entry.macs,
            "bytes": entry.bytes,
            **({"ms": 1000 * seconds[number]} if seconds is not None else {}),
        }
        for number, entry in enumerate(entries)
    ]


def _cells(entry: PlanEntry) -> tuple[str, ...]:
    channels, height, width = entry.shape
    macs = f"{entry.macs / 1e6:.2f}" if entry.macs else ""
    output = f"{width}x{height}x{channels}"
    return (_ranges(entry.layers), entry.name, output, entry.precision, entry.layout, entry.tile, macs, f"{entry.bytes / 1024:.0f}")


def _times(entry: PlanEntry, seconds: float) -> tuple[str, str]:
    return f"{seconds * 1000:.3f}", f"{2e-9 * entry.macs / seconds:.1f}" if entry.macs else ""


def _ranges(layers: Sequence[int]) -> str:
    """3-5,8 for 3, 4, 5 and 8."""
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
