"""`ChunkStream`: chunks out to the workers, results back, whatever happens to a worker in between."""

import asyncio
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import Future as Transfer
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from yolodsc.distributed.chunks import Chunk
from yolodsc.distributed.watch import Watch
from yolodsc.distributed.worker import ChunkOutcome
from yolodsc.distributed.workers import Workers
from yolodsc.errors import OptionError, YolodscError
from yolodsc.values import Value

if TYPE_CHECKING:
    from distributed import Client, Future

ATTEMPTS = 3
"""Attempts at a chunk."""

PER_THREAD = 3
"""Chunks in flight for each thread of a worker: one runs, the others wait beside it."""

AHEAD = 16
"""Chunks for each thread that may be finished before their turn; one slow chunk holds up the others after so many."""

TICK = 1.0
"""Seconds between two looks at the cluster."""


class SchedulerLostError(OptionError):
    """The connection to the scheduler is lost; what was written is kept."""


class FailedChunk(Value, eq=False):
    """A chunk that failed `ATTEMPTS` times, and why."""

    reason: str


class _Flight(Value, eq=False):
    """A chunk on its way."""

    chunk: Chunk
    attempt: int
    future: Any
    transfer: "Transfer[list[ChunkOutcome]]"


Outcome = ChunkOutcome | FailedChunk


class ChunkStream:
    """Sends chunks to the workers of a client and yields their results.

    Parameters
    ----------
    client
        Connected to the scheduler.
    submit
        Submits the task of a chunk under a key.
    ordered
        Yield results in the order of the chunks, else as they come.
    limit
        Seconds after which a worker hangs; None derives them from measured times.
    report
        Called with a line about every worker that leaves or hangs, and every chunk that is repeated.
    """

    def __init__(
        self,
        client: "Client",
        submit: "Callable[[Chunk, int], Future]",
        *,
        ordered: bool = True,
        limit: float | None = None,
        report: Callable[[str], None],
    ) -> None:
        self._client, self._submit, self._ordered, self._report = client, submit, ordered, report
        self._workers = Workers(client, Watch(limit), report)
        self._arrived: SimpleQueue[tuple[int, int]] = SimpleQueue()
        self._flights: dict[int, _Flight] = {}
        self._done: dict[int, tuple[Chunk, Outcome | None]] = {}
        self._skip: Collection[int] = ()
        self._next = 0
        self._looked = monotonic()

    def run(self, chunks: Iterable[Chunk], *, skip: Collection[int] = ()) -> Generator[tuple[Chunk, Outcome | None]]:
        """Yield every chunk once, with its results or the reason why it has none.

        Parameters
        ----------
        chunks
            Numbered from 0.
        skip
            Numbers of chunks that are not sent; they are yielded with None.

        Raises
        ------
        SchedulerLostError
            The connection to the scheduler is lost.
        OptionError
            No workers are left.
        YolodscError
            A worker cannot run the network.
        """
        waiting = iter(chunks)
        self._skip = skip
        try:
            more = True
            while more or self._flights or self._done:
                more = more and self._send(waiting)
                due = self._due()
                if due is not None:
                    yield due
                elif self._flights:
                    self._receive()
        finally:
            self._cancel()

    def _send(self, waiting: Iterator[Chunk]) -> bool:
        """Send chunks until enough are in flight; False if there are no more."""
        threads = max(self._workers.threads, 1)
        while len(self._flights) < PER_THREAD * threads and len(self._done) < AHEAD * threads:
            chunk = next(waiting, None)
            if chunk is None:
                return False
            if chunk.number in self._skip:
                self._done[chunk.number] = chunk, None
            else:
                self._begin(chunk, 1)
        return True

    def _begin(self, chunk: Chunk, attempt: int) -> None:
        """Send a chunk, and have its result brought here without blocking this thread: its worker may hang by then."""
        future = self._submit(chunk, attempt)
        bring = self._client.gather([future], asynchronous=True)
        transfer = asyncio.run_coroutine_threadsafe(bring, self._client.loop.asyncio_loop)
        transfer.add_done_callback(lambda _: self._arrived.put((chunk.number, attempt)))
        self._flights[chunk.number] = _Flight(chunk, attempt, future, transfer)

    def _due(self) -> tuple[Chunk, Outcome | None] | None:
        """What is finished and comes next, if there is something."""
        number = self._next if self._ordered else next(iter(self._done), -1)
        self._next += number in self._done
        return self._done.pop(number, None)

    def _receive(self) -> None:
        """Wait for a chunk, at most `TICK`, and look at the cluster from time to time."""
        with suppress(Empty):
            self._settle(*self._arrived.get(timeout=TICK))
        if monotonic() - self._looked >= TICK:
            self._ensure_connected()
            self._workers.look([flight.future for flight in self._flights.values()])
            self._looked = monotonic()

    def _settle(self, number: int, attempt: int) -> None:
        """Take the result of a chunk, or send it again."""
        flight = self._flights.get(number)
        if flight is None or flight.attempt != attempt:
            return
        try:
            outcome: ChunkOutcome = flight.transfer.result(0)[0]
        except (Exception, CancelledError) as error:
            self._ensure_connected()
            self._failed(flight, error)
            return
        self._workers.finished(outcome)
        self._done[number] = flight.chunk, outcome
        del self._flights[number]

    def _failed(self, flight: _Flight, error: BaseException | None) -> None:
        """Send a chunk again, or give it up."""
        if isinstance(error, YolodscError):
            raise error
        chunk, reason = flight.chunk, _short(error)
        del self._flights[chunk.number]
        if flight.attempt < ATTEMPTS:
            self._report(f"chunk {chunk.number} ({chunk.paths[0]} …): attempt {flight.attempt} of {ATTEMPTS} failed: {reason}")
            self._begin(chunk, flight.attempt + 1)
        else:
            self._done[chunk.number] = chunk, FailedChunk(f"{ATTEMPTS} attempts at its chunk failed, at last: {reason}")

    def _ensure_connected(self) -> None:
        """Raise an `OptionError` if the scheduler is gone."""
        if self._client.status != "running":
            address = getattr(self._client.scheduler, "address", None) or "the scheduler"
            raise SchedulerLostError(f"scheduler {address}: the connection is lost; expected it to run until the end")

    def _cancel(self) -> None:
        """Cancel what is in flight."""
        futures = [flight.future for flight in self._flights.values()]
        for flight in self._flights.values():
            flight.transfer.cancel()
        self._flights.clear()
        if futures and self._client.status == "running":
            with suppress(Exception):  # the scheduler may end at this moment
                self._client.cancel(futures, force=True)


def _short(error: Any) -> str:
    """An exception in one line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= 200 else f"{line[:200]}…"
