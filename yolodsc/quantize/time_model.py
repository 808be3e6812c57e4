"""Milliseconds of networks on the engine of this machine."""

import time

import numpy as np

from yolodsc import engine
from yolodsc.network import Network
from yolodsc.precision import Quantization

ROUNDS = 15


def milliseconds(network: Network, quantization: Quantization | None, *, threads: int) -> float:
    """Least time of one image, heads not decoded; in float32 without a quantization."""
    image = np.full(network.input_shape, 0.5, np.float32)
    precision = "f32" if quantization is None else "int8"
    with engine.compile(network, threads=threads, precision=precision, quantization=quantization) as runner:
        runner(image)
        return 1000 * min(_seconds(runner, image) for _ in range(ROUNDS))


def _seconds(runner: engine.Runner, image: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> float:
    begin = time.perf_counter()
    runner(image)
    return time.perf_counter() - begin
