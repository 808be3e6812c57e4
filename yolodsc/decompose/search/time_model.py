"""Cost in milliseconds of chains and networks, measured on the engine."""

import time

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Shape
from yolodsc.darknet import Cfg, Option, Section
from yolodsc.decompose.surgery import Chain, chain_arrays, chain_sections
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.network import Network

ROUNDS = 9


class Timer:
    """Measures times with a fixed number of threads; the minimum of nine rounds excludes most interference."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def network(self, network: Network) -> float:
        """Milliseconds for one image, heads not decoded."""
        image = np.full(network.input_shape, 0.5, np.float32)
        with engine.compile(network, threads=self.threads) as runner:
            runner(image)
            return 1000 * min(_seconds(runner, image) for _ in range(ROUNDS))

    def chain(self, target: DecompositionTarget, chain: Chain) -> float:
        """Milliseconds of one convolution in this form."""
        sections = (_net(target.layer.inputs[0]), *chain_sections(target.layer, chain))
        alone = Network.build(Cfg(sections), profile=target.layer.profile)
        return self.network(alone.with_weights(chain_arrays(chain)))


def _net(shape: Shape) -> Section:
    sides = {"width": shape.width, "height": shape.height, "channels": shape.channels}
    return Section("net", tuple(Option(key, str(value)) for key, value in sides.items()))


def _seconds(runner: engine.Runner, image: np.ndarray) -> float:
    begin = time.perf_counter()
    runner(image)
    return time.perf_counter() - begin
