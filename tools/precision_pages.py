"""The tables of speed and accuracy in each precision in ``README.md`` and ``docs/performance.md``, from ``docs/figures.json``.

``tools/figures.py`` writes them; ``tests/test_docs.py`` compares them with the figures.
"""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PRECISIONS = ("f32", "bf16", "int8")
OURS = {"f32": "yolodsc", "bf16": "yolodsc-bf16", "int8": "yolodsc-int8"}
PEERS = {
    "OpenVINO": {"f32": "openvino-f32", "bf16": "openvino", "int8": "openvino-int8"},
    "ONNX Runtime": {"f32": "onnxruntime", "int8": "onnxruntime-int8"},
    "ncnn": {"f32": "ncnn", "bf16": "ncnn-bf16"},
    "OpenCV 4": {"f32": "opencv"},
}
"""Engine by program and precision."""

Engines = dict[str, dict[str, Any]]
"""Precision, median in milliseconds, and F1 by engine."""


def tables(precision: dict[str, Any]) -> dict[Path, list[str]]:
    """The lines of the table of each page; its first line identifies it there."""
    networks, accuracy = precision["networks"], precision["accuracy"]
    short = [_row(name, engines, accuracy.get(name, {})) for name, engines in networks.items()]
    long = [row for name, engines in networks.items() for row in _rows(name, engines)]
    heads = [f"{program}: {', '.join(engines)}" for program, engines in PEERS.items()]
    return {
        ROOT / "README.md": _table(["network", *(f"{p}, ms" for p in PRECISIONS), f"mAP: {', '.join(PRECISIONS)}", *heads], short),
        ROOT / "docs/performance.md": _table(["network", "precision", "yolodsc, ms", *(f"{name}, ms" for name in PEERS)], long),
    }


def write_tables(precision: dict[str, Any]) -> None:
    """Replace the tables in the pages."""
    for page, lines in tables(precision).items():
        page.write_text(replaced(page.read_text(encoding="utf-8"), lines), encoding="utf-8")


def replaced(text: str, lines: list[str]) -> str:
    """The text with the table that has the same first line replaced; a `ValueError` if there is not one such table."""
    old = text.split("\n")
    begin = old.index(lines[0])
    end = next(n for n in range(begin, len(old)) if not old[n].startswith("|"))
    return "\n".join([*old[:begin], *lines, *old[end:]])


def _row(name: str, engines: Engines, accuracy: dict[str, Any]) -> list[str]:
    """One line for a network: our times, our mAP, and ratios of the others in the same precision."""
    ours = [_with_f1(f"{engines[engine]['median']:.2f}", engines[engine], precision) for precision, engine in OURS.items()]
    scores = [f"{accuracy[precision]['map']:.1f}" for precision in PRECISIONS if "map" in accuracy.get(precision, {})]
    cells = []
    for program in PEERS.values():
        found = [(p, engines.get(engine)) for p, engine in program.items()]
        ratios = [_with_f1(f"{_ratio(result, p, engines):.2f}", result, p) if _is(result, p) else "–" for p, result in found]
        cells.append(", ".join(ratios))
    return [name, *ours, ", ".join(scores), *cells]


def _rows(name: str, engines: Engines) -> list[list[str]]:
    """One line for each precision of a network: times, ratios and F1."""
    rows = []
    for precision, ours in OURS.items():
        cells = [_with_f1(f"{engines[ours]['median']:.2f}", engines[ours], precision)]
        for program in PEERS.values():
            result = engines.get(program.get(precision, ""))
            time = f"{result['median']:.2f} **{_ratio(result, precision, engines):.2f}**" if _is(result, precision) else ""
            cells.append(_with_f1(time, result, precision) if time else "")
        rows.append([name, precision, *cells])
    return rows


def _is(result: dict[str, Any] | None, precision: str) -> bool:
    """Whether there is a result in this precision: OpenVINO's default depends on the processor."""
    return result is not None and result["precision"] == precision


def _ratio(result: dict[str, Any] | None, precision: str, engines: Engines) -> float:
    assert result is not None
    ratio: float = result["median"] / engines[OURS[precision]]["median"]
    return ratio


def _with_f1(text: str, result: dict[str, Any] | None, precision: str) -> str:
    return text if precision == "f32" or result is None else f"{text} ({result['f1']:.3f})"


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
