"""The workers of a run: how many threads they have, what each has done, and which of them hang or are gone."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic, time
from typing import TYPE_CHECKING

from yolodsc.distributed.watch import Watch
from yolodsc.distributed.worker import ChunkOutcome
from yolodsc.errors import OptionError

if TYPE_CHECKING:
    from distributed import Client, Future

WITHOUT_WORKERS = 120.0
"""Seconds without any worker after which a run ends."""

RESTART_SECONDS = 30.0
"""How long a worker may take to restart."""


class Workers:
    """Looks at the workers of a client from time to time.

    Parameters
    ----------
    client
        Connected to the scheduler.
    watch
        Decides which workers hang.
    report
        Called with a line about each worker that leaves or hangs.
    """

    def __init__(self, client: "Client", watch: Watch, report: Callable[[str], None]) -> None:
        self._client, self._watch, self._report = client, watch, report
        self._known: dict[str, int] = dict(client.nthreads())
        self._restarting: set[str] = set()
        self._seen = monotonic()

    @property
    def threads(self) -> int:
        """Threads of all workers."""
        return sum(self._known.values())

    def finished(self, outcome: ChunkOutcome) -> None:
        """Note that a worker has finished a chunk."""
        self._watch.finished(outcome.worker, outcome.seconds)

    def look(self, futures: Sequence["Future"]) -> None:
        """Report workers that left, and restart those that hang; an `OptionError` if there have been none for too long.

        Parameters
        ----------
        futures
            Of the chunks in flight.
        """
        try:
            present, busy = dict(self._client.nthreads()), self._busy(futures)
        except (OSError, TimeoutError, RuntimeError):  # the connection is lost, which the caller finds out
            return
        for worker in self._known.keys() - present.keys() - self._restarting:
            self._report(f"worker {worker} has left; its images are processed by others")
        self._restarting &= present.keys()
        self._known = present
        if present:
            self._seen = monotonic()
        elif futures and monotonic() - self._seen > WITHOUT_WORKERS:
            raise OptionError(f"scheduler {self._client.scheduler.address}: no workers for {WITHOUT_WORKERS:.0f} s; expected some")
        for worker, limit in self._watch.hanging(busy).items():
            self._report(f"worker {worker} hangs: no chunk in {limit:.0f} s; it is restarted")
            self._restarting.add(worker)
            Thread(target=self._restart, args=(worker,), name="restart", daemon=True).start()

    def _busy(self, futures: Sequence["Future"]) -> dict[str, list[object]]:
        """The chunks that each worker processes, or has finished and not yet handed over."""
        busy: dict[str, list[object]] = {worker: list(keys) for worker, keys in self._client.processing().items()}
        finished = [future for future in futures if future.status == "finished"]
        for key, holders in (self._client.who_has(finished) if finished else {}).items():
            for worker in holders:
                busy.setdefault(worker, []).append(key)
        return busy

    def _restart(self, worker: str) -> None:
        """Restart a worker; the scheduler removes one that has no nanny, or whose nanny does not answer."""
        restart = self._client.scheduler.restart_workers
        stimulus = f"yolodsc-{time()}"
        with suppress(Exception):  # the scheduler may end at this moment, which the caller finds out
            self._client.sync(
                restart, workers=[worker], timeout=RESTART_SECONDS, on_error="return", wait_for_workers=False, stimulus_id=stimulus
            )
