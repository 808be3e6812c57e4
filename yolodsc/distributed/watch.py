"""Workers that hang: which ones have had chunks for longer than any chunk can take."""

from collections.abc import Collection, Mapping
from time import monotonic

LOWEST_LIMIT = 30.0
"""Seconds without a finished chunk after which a worker may be taken to hang, whatever a chunk takes."""

FIRST_LIMIT = 300.0
"""The same before a worker has finished its first chunk: it may compile kernels."""

FACTOR = 20.0
"""Multiple of the longest time of a chunk after which a worker is taken to hang."""

PAUSE = 15.0
"""Seconds between two looks after which this process itself is taken to have stood still."""


class Watch:
    """Measures the time since each worker finished a chunk.

    Parameters
    ----------
    limit
        Seconds after which a worker that has finished a chunk hangs; None derives them from the measured time of a chunk.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._given = limit
        self._longest = 0.0
        self._active: dict[str, float] = {}
        self._finished: set[str] = set()
        self._last_look = monotonic()

    def finished(self, worker: str, seconds: float) -> None:
        """Note that a worker has finished a chunk, which took so many seconds."""
        self._longest = max(self._longest, seconds)
        self._active[worker] = monotonic()
        self._finished.add(worker)

    def limit(self, worker: str) -> float:
        """Seconds after which this worker hangs."""
        usual = max(LOWEST_LIMIT, FACTOR * self._longest) if self._given is None else self._given
        return usual if worker in self._finished else max(usual, FIRST_LIMIT)

    def hanging(self, processing: Mapping[str, Collection[object]]) -> dict[str, float]:
        """Return the workers that hang, each once, and the limit in seconds that each has exceeded.

        Parameters
        ----------
        processing
            Chunks of every worker that it has not finished.
        """
        now = monotonic()
        gap, self._last_look = now - self._last_look, now
        if gap > PAUSE:
            self._active = {worker: since + gap for worker, since in self._active.items()}
        busy = {worker for worker, chunks in processing.items() if chunks}
        self._active = {worker: self._active.get(worker, now) for worker in busy}
        found = {worker: self.limit(worker) for worker, since in self._active.items() if now - since > self.limit(worker)}
        for worker in found:
            del self._active[worker]
            self._finished.discard(worker)
        return found
