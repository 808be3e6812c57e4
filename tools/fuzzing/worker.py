"""The process that runs cases: ``python -m tools.fuzzing.worker NAME RECORD CORPUS OUT SECONDS SEED``; it may die."""

import faulthandler
import random
import resource
import signal
import sys
import time
import warnings
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.fuzzing.explore import explore
from tools.fuzzing.families import Family, family_of, target_named
from tools.fuzzing.guarded import Guarded
from tools.fuzzing.record import MAX_BYTES, Record
from tools.fuzzing.target import Target


def main(arguments: list[str]) -> None:
    """Fuzz until the time is over; 0 seconds: run the cases of the folder only."""
    name, record, corpus, out, seconds, seed = arguments
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's
    fuzzer = _atheris() if float(seconds) else None
    family = family_of(name)
    target = _imported(fuzzer, family, name)
    warnings.simplefilter("ignore")
    target.prepare()
    resource.setrlimit(resource.RLIMIT_AS, (family.memory, family.memory))
    run = Guarded(target, Record(Path(record)), Path(out))
    if not float(seconds):
        for path in sorted(Path(corpus).iterdir()):
            run(path.read_bytes())
    elif fuzzer is not None and family.instrumented:
        _libfuzzer(fuzzer, target, run, corpus, seconds=float(seconds), seed=int(seed))
    else:
        explore(target, run, Path(corpus), seed=int(seed), until=time.monotonic() + float(seconds))


def _atheris() -> Any:
    """Google's coverage-guided fuzzer for Python, where it is installed."""
    return import_module("atheris") if find_spec("atheris") else None


def _imported(fuzzer: Any, family: Family, name: str) -> Target:
    """The target, with what it imports instrumented where there is a fuzzer."""
    if fuzzer is None or not family.instrumented:
        return target_named(name)
    with fuzzer.instrument_imports(include=list(family.instrumented)):
        return target_named(name)


def _libfuzzer(fuzzer: Any, target: Target, run: Any, corpus: str, *, seconds: float, seed: int) -> None:
    options = [
        f"-max_total_time={max(int(seconds), 1)}",
        f"-seed={seed % 2**32 or 1}",
        f"-max_len={MAX_BYTES // 16}",
        "-rss_limit_mb=0",
    ]
    options += ["-verbosity=0", "-timeout=100000", *_dictionary(target, Path(corpus).with_suffix(".words"))]
    more = {} if target.mutate is None else {"custom_mutator": partial(_mutated, fuzzer, target)}
    fuzzer.Setup([sys.argv[0], *options, corpus], lambda data: run(data) and None, **more)
    fuzzer.Fuzz()


def _dictionary(target: Target, path: Path) -> list[str]:
    """Option of libFuzzer for the words of a format."""
    lines = ["".join(f"\\x{byte:02x}" for byte in token) for token in target.tokens if 0 < len(token) <= 64]
    if not lines:
        return []
    path.write_text("".join(f'"{line}"\n' for line in lines))
    return [f"-dict={path}"]


def _mutated(fuzzer: Any, target: Target, data: bytes, limit: int, seed: int) -> bytes:
    def bytewise(part: bytes) -> bytes:
        return bytes(fuzzer.Mutate(part, max(len(part) + 64, 64)))

    assert target.mutate is not None
    rng = random.Random(seed)
    return target.mutate(data, rng, bytewise)[:limit] if rng.random() < 0.8 else bytewise(data)[:limit]


if __name__ == "__main__":
    main(sys.argv[1:])
