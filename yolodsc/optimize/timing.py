"""Milliseconds of networks relative to the original, measured in turns with it."""

from types import TracebackType
from typing import Self

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose import clock_of
from yolodsc.network import Network
from yolodsc.precision import Quantization

ROUNDS = 20
BLOCK_SECONDS = 0.02
"""Duration of a block of runs of one network; the original and the other network run blocks in turns."""


class RelativeTimer:
    """The original in float32 on the engine, against which other networks are timed."""

    def __init__(self, original: Network, *, threads: int) -> None:
        self.threads, self._clock = threads, clock_of(threads)
        self._image = _grey(original)
        self._runner = engine.compile(original, threads=threads)
        self.milliseconds = 1000 * min(self._block(self._runner, self._image) for _ in range(ROUNDS))
        """Of the original."""

    def ratio(self, network: Network, precision: str, quantization: Quantization | None) -> float:
        """Time of a network over that of the original: minima over blocks in turns, heads not decoded."""
        image = _grey(network)
        compiled = engine.compile(network, threads=self.threads, precision=precision, quantization=quantization)
        with compiled as runner:
            pairs = [(self._block(runner, image), self._block(self._runner, self._image)) for _ in range(ROUNDS)]
        ours, reference = (min(column) for column in zip(*pairs, strict=True))
        return ours / reference

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._runner.close()

    def _block(self, runner: engine.Runner, image: Array) -> float:
        """Mean seconds of the runs of a block; the first run is not counted, because another network has used the cache."""
        runner(image)
        begin, runs = self._clock(), 0
        while (taken := self._clock() - begin) < BLOCK_SECONDS:
            runner(image)
            runs += 1
        return taken / runs


def _grey(network: Network) -> Array:
    return np.full(network.input_shape, 0.5, np.float32)
