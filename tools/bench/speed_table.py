"""Prints reports of ``yolodsc bench --json`` as one Markdown table: ``python tools/bench/speed_table.py A.json B.json``.

The table has a row for each network and number of threads, with the median in milliseconds and the minimum in brackets. Other
engines also have the ratio of their median to ours, and of their minimum in brackets. Headings name the precision of engines that
do not compute in float32. If several reports have a row, the median is from the one with the lowest load, the minimum from all.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

OURS = "yolodsc"


def machines(reports: list[dict[str, Any]]) -> list[str]:
    """A line for each machine, with the loads of its reports."""
    lines: dict[tuple[str, str, str, str], list[float]] = {}
    for report in reports:
        machine = report["machine"]
        peaks = ", ".join(f"{peak:.0f} GFLOP/s on {threads}" for threads, peak in machine["peak_gflops"].items() if peak)
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
        lines.setdefault((machine["cpu"], machine["isa"], peaks, versions), []).append(machine["load"])
    return [
        f"{cpu}, {isa}; peak rate {peaks} threads; {versions}. Load before the runs: {', '.join(map(str, loads))}."
        for (cpu, isa, peaks, versions), loads in lines.items()
    ]


def label(result: dict[str, Any]) -> str:
    """The engine, with its precision unless that is float32; reports without precisions are of float32."""
    precision = result.get("precision", "f32")
    return result["engine"] if precision == "f32" else f"{result['engine']} ({precision})"


def table(reports: list[dict[str, Any]]) -> list[str]:
    """Lines of the table."""
    rows: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for report in sorted(reports, key=lambda report: -float(report["machine"]["load"])):
        for result in report["results"]:
            row, engine = rows[result["model"], result["threads"]], label(result)
            minimum = min(result["min_ms"], row[engine]["min_ms"] if engine in row else result["min_ms"])
            row[engine] = {**result, "min_ms": minimum}
    keys = list(dict.fromkeys((r["model"], r["threads"]) for report in reports for r in report["results"]))
    engines = list(dict.fromkeys(name for row in rows.values() for name in row if name != OURS))
    lines = ["| network | threads | yolodsc | " + " | ".join(engines) + " |", "|---" * (3 + len(engines)) + "|"]
    for model, threads in keys:
        row = rows[model, threads]
        cells = [_times(row[OURS]), *(_cell(row.get(name), row[OURS]) for name in engines)]
        lines.append(f"| {model} | {threads} | " + " | ".join(cells) + " |")
    return lines


def _times(result: dict[str, Any]) -> str:
    return f"{result['median_ms']:.2f} ({result['min_ms']:.2f})"


def _cell(result: dict[str, Any] | None, ours: dict[str, Any]) -> str:
    return f"{_times(result)} **{result['ratio']:.2f}** ({result['min_ms'] / ours['min_ms']:.2f})" if result else ""


def main() -> None:
    """Read reports and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    reports = [json.loads(path.read_text()) for path in parser.parse_args().reports]
    print(*machines(reports), "", *table(reports), sep="\n")


if __name__ == "__main__":
    main()
