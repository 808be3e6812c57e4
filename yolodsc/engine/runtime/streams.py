"""Several runners of one network as one: as many concurrent calls as there are streams.

On many images, streams of one thread each are faster than one stream of as many threads, because no thread waits at the end of a
phase. Program, kernels and weights are shared; each stream has a separate arena and scratch memory (nano: 2.7 MB).
"""

from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Self

from yolodsc.arrays import Array
from yolodsc.jit import at_child

if TYPE_CHECKING:
    from yolodsc.engine.runtime.entry import PlanEntry
    from yolodsc.engine.runtime.head_activation import Activation
    from yolodsc.engine.runtime.runner import Runner
    from yolodsc.network import Head


class Streams:
    """A runner that passes each call to an idle runner, and waits if there is none."""

    def __init__(self, runners: Sequence["Runner"]) -> None:
        self._runners = tuple(runners)
        self.threads, self.streams = runners[0].threads, len(self._runners)
        self._mark_idle()
        at_child(self, Streams._mark_idle)

    def __call__(self, images: Array) -> dict[int, Array]:
        """See `Runner`."""
        idle = self._idle
        runner = idle.get()
        try:
            return runner(images)
        finally:
            idle.put(runner)

    def run_into(self, image: Array, out: Mapping[int, Array]) -> None:
        """See `Runner`."""
        idle = self._idle
        runner = idle.get()
        try:
            runner.run_into(image, out)
        finally:
            idle.put(runner)

    def activation(self, head: "Head", x: Array, y: Array) -> "Activation":
        """See `Runner`."""
        return self._runners[0].activation(head, x, y)

    def entries(self) -> list["PlanEntry"]:
        """The plan, which all streams share."""
        return self._runners[0].entries()

    def close(self) -> None:
        """Release threads and memory of all streams."""
        for runner in self._runners:
            runner.close()

    def _mark_idle(self) -> None:
        """Mark all runners as idle; also in a forked child, where the threads that used them do not exist."""
        self._idle: SimpleQueue[Runner] = SimpleQueue()
        for runner in self._runners:
            self._idle.put(runner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
