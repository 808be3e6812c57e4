"""Reports of ``yolodsc bench --json`` as one Markdown table: ``python tools/bench/speed_table.py A.json B.json``.

A row for each network and number of threads; our median and minimum, then each engine's median and, in bold, its ratio to ours.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

OURS = "yolodsc"


def machines(reports: list[dict[str, Any]]) -> list[str]:
    """What the figures were taken on, a line for each that differs, and the loads."""
    lines: dict[tuple[str, str, str, str], list[float]] = {}
    for report in reports:
        here = report["machine"]
        peaks = ", ".join(f"{peak:.0f} GFLOP/s on {threads}" for threads, peak in here["peak_gflops"].items() if peak)
        versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items() if version)
        lines.setdefault((here["cpu"], here["isa"], peaks, versions), []).append(here["load"])
    return [
        f"{cpu}, {isa}; multiply-adds at most {peaks} threads; {versions}. Load before the runs: {', '.join(map(str, loads))}."
        for (cpu, isa, peaks, versions), loads in lines.items()
    ]


def table(reports: list[dict[str, Any]]) -> list[str]:
    """The table's lines."""
    rows: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for report in reports:
        for result in report["results"]:
            rows[result["model"], result["threads"]][result["engine"]] = result
    engines = list(dict.fromkeys(name for row in rows.values() for name in row if name != OURS))
    lines = ["| network | threads | yolodsc ms (min) | " + " | ".join(engines) + " |", "|---" * (3 + len(engines)) + "|"]
    for (model, threads), row in rows.items():
        ours = row[OURS]
        cells = [f"{ours['median_ms']:.2f} ({ours['min_ms']:.2f})", *(_cell(row.get(name)) for name in engines)]
        lines.append(f"| {model} | {threads} | " + " | ".join(cells) + " |")
    return lines


def _cell(result: dict[str, Any] | None) -> str:
    return f"{result['median_ms']:.2f} (**{result['ratio']:.2f}**)" if result else ""


def main() -> None:
    """Read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    reports = [json.loads(path.read_text()) for path in parser.parse_args().reports]
    print(*machines(reports), "", *table(reports), sep="\n")


if __name__ == "__main__":
    main()
