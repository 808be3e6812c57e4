"""A small coverage-guided loop for what libFuzzer cannot see into, and for machines without it."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tools.fuzzing.bytewise import mutated
from tools.fuzzing.target import Target

OWN = str(Path(__file__).parents[2] / "yolodsc")


class Lines:
    """Lines of yolodsc that have run in this thread so far."""

    def __init__(self) -> None:
        self.known: set[tuple[str, int]] = set()
        if sys.version_info >= (3, 12):
            monitor = sys.monitoring
            monitor.use_tool_id(monitor.COVERAGE_ID, "fuzz")
            monitor.register_callback(monitor.COVERAGE_ID, monitor.events.LINE, self._line)
            monitor.set_events(monitor.COVERAGE_ID, monitor.events.LINE)
        else:
            sys.settrace(self._call)

    def _line(self, code: CodeType, line: int) -> Any:
        """Each line reports once: further runs of it cost nothing."""
        if code.co_filename.startswith(OWN):
            self.known.add((code.co_filename, line))
        return sys.monitoring.DISABLE  # type: ignore[attr-defined, unused-ignore]

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        return self._traced if frame.f_code.co_filename.startswith(OWN) else None

    def _traced(self, frame: FrameType, event: str, argument: Any) -> Any:
        del argument
        if event == "line":
            self.known.add((frame.f_code.co_filename, frame.f_lineno))
        return self._traced


def explore(target: Target, run: Callable[[bytes], bool], folder: Path, *, seed: int, until: float) -> None:
    """Mutate the cases of a folder until a moment of the monotonic clock; those that reach new lines join them."""
    rng = random.Random(seed)
    queue = [path.read_bytes() for path in sorted(folder.iterdir())] or [b""]
    lines = Lines()
    for data in tuple(queue):
        run(data)
    while time.monotonic() < until:
        before = len(lines.known)
        data = _next(target, queue, rng)
        if run(data) and len(lines.known) > before:
            queue.append(data)
            (folder / f"new-{len(queue)}-{rng.getrandbits(32):08x}").write_bytes(data)


def _next(target: Target, queue: Sequence[bytes], rng: random.Random) -> bytes:
    """A mutation of one of the cases, mostly of a late one."""
    base = queue[max(rng.randrange(len(queue)), rng.randrange(len(queue)))]
    bytewise = partial(mutated, rng=rng, tokens=target.tokens, others=queue)
    if target.mutate is not None and rng.random() < 0.8:
        return target.mutate(base, rng, bytewise)
    return bytewise(base)
