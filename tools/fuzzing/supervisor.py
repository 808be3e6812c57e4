"""Runs workers in sequence, and keeps each case that killed or stopped one."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.fuzzing.families import family_of
from tools.fuzzing.record import Record

ROOT = Path(__file__).parents[2]
POLL = 0.1
STARTING = 300.0
"""Time limit for the first case of a worker in seconds, which includes compilation of kernels."""


@dataclass(slots=True)
class Outcome:
    """Result of a run; the failing cases are files in the output folder."""

    cases: int = 0
    crashes: list[Path] = field(default_factory=list)
    hangs: list[Path] = field(default_factory=list)
    uncaught: list[Path] = field(default_factory=list)
    broken: str | None = None

    def line(self, name: str, seed: int) -> str:
        """Last line of a run's output."""
        counts = f"{len(self.crashes)} crashes, {len(self.hangs)} hangs, {len(self.uncaught)} uncaught"
        return f"{name}: {self.cases} cases, {counts}, seed {seed}"

    @property
    def clean(self) -> bool:
        """Whether the run found no failure."""
        return not (self.crashes or self.hangs or self.uncaught or self.broken)


def fuzz(name: str, files: Sequence[Path], out: Path, *, seconds: float, seed: int) -> Outcome:
    """Run a target over mutations of files, or with 0 ``seconds`` over the files themselves."""
    outcome, started = Outcome(), time.time()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="yolodsc-fuzz-") as scratch:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for number, path in enumerate(files):
            shutil.copyfile(path, corpus / f"{number:04d}-{path.name}")
        left, rounds = seconds, 0
        while (left > 0 or seconds == 0) and not outcome.broken:
            before = time.monotonic()
            again = _round(name, Path(scratch), out, left if seconds else 0, seed + rounds, outcome)
            left, rounds = left - (time.monotonic() - before), rounds + 1
            if not again:
                break
    outcome.uncaught = sorted(path for path in out.glob(f"{name}-uncaught-*") if path.stat().st_mtime >= started - 1)
    return outcome


def _round(name: str, scratch: Path, out: Path, seconds: float, seed: int, outcome: Outcome) -> bool:
    """Run one worker; return whether another one must continue."""
    record = Record.created(scratch / "record")
    arguments = [name, scratch / "record", scratch / "corpus", out, seconds, seed]
    log = scratch / "log"
    with log.open("wb") as stream:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tools.fuzzing.worker", *map(str, arguments)],
            cwd=ROOT,
            env=_environment(name, scratch),
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
        hung = _watched(worker, record, family_of(name).seconds, seconds)
    state = record.state()
    outcome.cases += state.cases
    text = log.read_text(errors="replace")
    sys.stderr.write(_tracebacks(text))
    if hung or (worker.returncode < 0 and state.running):
        kind, found = ("hang", outcome.hangs) if hung else ("crash", outcome.crashes)
        found.append(_kept(out, name, kind, state.data))
        _forget(scratch / "corpus", state.data)
        if not hung:
            sys.stderr.write(text[-4000:])
        return True
    if worker.returncode:
        outcome.broken = f"the worker ended with status {worker.returncode}:\n{text[-4000:]}"
    return False


def _watched(worker: "subprocess.Popen[bytes]", record: Record, limit: float, seconds: float) -> bool:
    """Wait for a worker; return whether it was killed because a case took too long."""
    started = time.monotonic()
    try:
        while worker.poll() is None:
            time.sleep(POLL)
            state = record.state()
            late = time.monotonic() - started > STARTING + seconds and not state.running
            if state.running > limit or late:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
                return state.running > limit
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
    return False


def _environment(name: str, scratch: Path) -> dict[str, str]:
    """Environment of a worker: one thread of BLAS, separate caches of kernels, temporary files in the scratch folder."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yolodsc-fuzz"
    folder = scratch / "files"
    folder.mkdir(exist_ok=True)
    variables = {
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "YOLODSC_CACHE": str(caches / "kernels"),
        "NUMBA_CACHE_DIR": str(caches / f"numba-{family_of(name).module}"),
    }
    return {**os.environ, **variables, **family_of(name).environment}


def _kept(out: Path, name: str, kind: str, data: bytes) -> Path:
    path = out / f"{name}-{kind}-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return path


def _forget(corpus: Path, data: bytes) -> None:
    """Remove a case that ends the worker, because it would end the next one too."""
    for path in corpus.iterdir():
        if path.read_bytes() == data:
            path.unlink()


def _tracebacks(text: str) -> str:
    """Tracebacks of uncaught exceptions, without the progress lines of libFuzzer."""
    start = text.find("--- ")
    if start < 0:
        return ""
    lines = (line for line in text[start:].splitlines() if not line.startswith(("#", "INFO:", "Done", "\tNEW", "Dictionary")))
    return "".join(f"{line}\n" for line in lines)
