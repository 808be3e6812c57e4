"""The runners of a detector: one for a call, and one for many images."""

from collections.abc import Callable
from threading import Lock

from yolodsc import engine


class DetectorRunners:
    """A runner for single images, and one for many that is compiled at its first use unless both are the same.

    Parameters
    ----------
    compile_network
        Compiles the network for numbers of threads and streams.
    threads, streams
        As for `Detector`.
    """

    def __init__(self, compile_network: Callable[..., engine.Runner], threads: int | None, streams: int | None) -> None:
        self._compile, self._lock = compile_network, Lock()
        alone, (many_threads, self.streams) = engine.one_image_counts(threads, streams), engine.default_counts(threads, streams)
        self.one = compile_network(threads=alone[0], streams=alone[1])
        self._many = self.one if alone == (many_threads, self.streams) else None

    @property
    def many(self) -> engine.Runner:
        """The runner of many images."""
        with self._lock:
            if self._many is None:
                self._many = self._compile(threads=1, streams=self.streams)
            return self._many

    def close(self) -> None:
        """Release threads and memory."""
        self.one.close()
        if self._many is not None:
            self._many.close()
