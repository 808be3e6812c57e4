"""Images per second from files to detections in memory, beside other programs: ``python tools/bench/pipeline.py MODEL IMAGES``.

Every loop of `pipeline_loops` has its own process at its program's default number of threads. The processes stay idle while another
one runs; each round runs all of them in random order. A ratio is the median of the ratios of the rounds.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from pipeline_loops import LOOPS, Task, image_files

from yolodsc.convert import export_onnx
from yolodsc.detection import resolve_model
from yolodsc.network import Network

OURS = "yolodsc"


def work(name: str, task: Task, paths: list[str]) -> None:
    """The process of one loop: run it once for each line of standard input, and print what it took."""
    loop = LOOPS[name](task)
    found = loop(paths)  # warm
    print(json.dumps({"detections": found}), flush=True)
    for _ in sys.stdin:
        start, cpu = perf_counter(), process_time()
        found = loop(paths)
        taken = {"seconds": perf_counter() - start, "cpu": process_time() - cpu, "detections": found}
        print(json.dumps(taken), flush=True)


class Process:
    """A loop in its own process."""

    def __init__(self, name: str, request: str) -> None:
        command = [sys.executable, __file__, "--work", name]
        source = os.environ.get(f"PIPELINE_{name.upper().replace('-', '_')}")  # another tree of yolodsc for this loop
        environment = {**os.environ, **({"PYTHONPATH": source} if source else {})}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.runs: list[dict[str, Any]] = []
        self._send(request)
        self.answer()

    def run(self) -> None:
        """One pass over the images."""
        self._send("run")
        self.runs.append(self.answer())

    def answer(self) -> dict[str, Any]:
        """The next line of the process."""
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


def main() -> None:
    """Time the loops and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("images", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", default=",".join(name for name in LOOPS if name != "yolodsc-before"))
    parser.add_argument("--thresh", type=float, default=0.25)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        request = json.loads(sys.stdin.readline())
        work(given.work, Task(**request["task"]), request["paths"])
        return
    files = resolve_model(given.model)
    with TemporaryDirectory() as folder:
        onnx = f"{folder}/network.onnx"
        export_onnx(Network.load(files.cfg, files.weights), onnx)
        task = Task(str(files.cfg), str(files.weights), onnx, given.thresh, 0.45)
        paths = image_files(given.images, given.count)
        request = json.dumps({"task": asdict(task), "paths": paths})
        processes = {name: Process(name, request) for name in given.loops.split(",")}
        for number in range(given.rounds):
            for name in random.Random(number).sample(sorted(processes), len(processes)):
                processes[name].run()
        for process in processes.values():
            process.close()
    report = {name: _figures(process.runs, processes[OURS].runs, len(paths)) for name, process in processes.items()}
    _print(report, count=len(paths), rounds=given.rounds)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _figures(runs: list[dict[str, Any]], ours: list[dict[str, Any]], count: int) -> dict[str, float]:
    return {
        "images_per_second": round(median(count / run["seconds"] for run in runs), 1),
        "cpu_ms": round(median(run["cpu"] for run in runs) / count * 1000, 2),
        "yolodsc_over_it": round(median(run["seconds"] / our["seconds"] for run, our in zip(runs, ours, strict=True)), 3),
        "detections": runs[-1]["detections"],
    }


def _print(report: dict[str, dict[str, float]], *, count: int, rounds: int) -> None:
    print(f"{count} images, medians of {rounds} rounds, {len(os.sched_getaffinity(0))} cores")
    print(f"{'loop':20} {'images/s':>9} {'CPU ms/image':>13} {'yolodsc/it':>11} {'detections':>11}")
    for name, row in report.items():
        rate, cpu, ratio, found = row.values()
        print(f"{name:20} {rate:9.1f} {cpu:13.2f} {ratio:11.3f} {found:11}")


if __name__ == "__main__":
    main()
