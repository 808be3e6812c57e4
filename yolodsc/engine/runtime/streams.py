"""Several runners of one network behind one name: as many calls at the same time as there are streams.

On many images, streams of one thread each beat one stream of as many threads: nobody waits at the end of an operation. Plan,
kernels and weights are shared; a stream has an arena and a scratch space of its own (nano: 2.7 MB).
"""

from collections.abc import Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Self

from yolodsc.arrays import Array
from yolodsc.jit import at_child

if TYPE_CHECKING:
    from yolodsc.engine.runner import Runner
    from yolodsc.engine.runtime.entry import PlanEntry


class Streams:
    """A runner that hands each call to a runner that is free, and waits where none is."""

    def __init__(self, runners: Sequence["Runner"]) -> None:
        self._runners = tuple(runners)
        self.threads, self.streams = runners[0].threads, len(self._runners)
        self._release()
        at_child(self, Streams._release)

    def __call__(self, images: Array) -> dict[int, Array]:
        """As any runner's."""
        free = self._free
        runner = free.get()
        try:
            return runner(images)
        finally:
            free.put(runner)

    def entries(self) -> list["PlanEntry"]:
        """The plan, which all streams share."""
        return self._runners[0].entries()

    def close(self) -> None:
        """Release threads and memory of all streams."""
        for runner in self._runners:
            runner.close()

    def _release(self) -> None:
        """All runners are free; in a forked child too, where the threads that had some are not."""
        self._free: SimpleQueue[Runner] = SimpleQueue()
        for runner in self._runners:
            self._free.put(runner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
