"""The measured figures of the documentation: ``python tools/figures.py [REPORT.json ...]``.

Rewrites ``docs/figures.json``: cost and size of the bundled networks from their files, and times from reports of
``yolodsc bench --json`` on one thread. Reports with ``--precision`` and ``--images`` give times and F1 in each precision, reports
of ``tools/precision_table.py --json`` mAP and F1; the tables of ``README.md`` and ``docs/performance.md`` are written from them.
``tests/test_docs.py`` compares the pages with this file.
"""

import json
import sys
from pathlib import Path
from typing import Any

from precision_pages import write_tables

from yolodsc.network import Network

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs/figures.json"


def bundled(name: str) -> dict[str, float]:
    """Millions of multiply-adds and kilobytes of a bundled network."""
    weights = ROOT / f"weights/{name}.weights"
    network = Network.load(ROOT / f"cfg/{name}.cfg", weights)
    macs = network.multiply_adds
    return {"mmac": round(macs / 1e6, 1), "kb": round(weights.stat().st_size / 1000)}


def times(report: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds by network and engine, on one thread."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for result in report["results"]:
        if result["threads"] == 1:
            found = {"median": round(result["median_ms"], 2), "min": round(result["min_ms"], 2)}
            out.setdefault(result["model"], {})[result["engine"]] = found
    return out


def precisions(report: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Precision, milliseconds and F1 by network and engine, on one thread."""
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for result in report["results"]:
        if result["threads"] == 1:
            found = {"precision": result["precision"], "median": round(result["median_ms"], 3), "f1": round(result["agreement"], 3)}
            out.setdefault(result["model"], {})[result["engine"]] = found
    return out


def main(reports: list[str]) -> None:
    """Update the file in place."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    for name in figures["networks"]:
        figures["networks"][name] |= bundled(name)
    for name in reports:
        report = json.loads(Path(name).read_text(encoding="utf-8"))
        if "accuracy" in report:
            figures["precision"]["accuracy"] |= report["accuracy"]
        elif all(result.get("agreement") is not None for result in report["results"]):
            figures["precision"]["networks"] |= precisions(report)
        else:
            figures["speed_ms"] |= times(report)
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_tables(figures["precision"])


if __name__ == "__main__":
    main(sys.argv[1:])
