"""Outputs and detections of a quantized network against those of its original."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose import agreed_detections, f1_of, output_error
from yolodsc.network import Candidates, Network
from yolodsc.precision import Quantization
from yolodsc.quantize.simulation import SimulatedRunner


class ImageRunner(Protocol):
    """What both the engine and the simulation give."""

    def __call__(self, images: Array, /) -> dict[int, Array]:
        """Outputs by layer index of one image (C, H, W)."""
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...


def int8_runner(network: Network, quantization: Quantization, *, threads: int, outputs: Sequence[int]) -> ImageRunner:
    """The engine in int8, or the simulation where the machine has no kernels."""
    if engine.select_backend(None).isa is None:
        return SimulatedRunner(network, quantization, threads=threads, outputs=outputs)
    return engine.compile(network, threads=threads, outputs=outputs, precision="int8", quantization=quantization)


class Original:
    """The outputs of the original network on a set of images, with which quantized networks are compared."""

    def __init__(self, network: Network, images: Array, *, threads: int) -> None:
        self.images, self.threads = images, threads
        self.compared = [head.sources[0] for head in network.heads] or [network.output]
        """Layers whose outputs are compared: the inputs of the heads."""
        self.outputs = sorted({*self.compared, *(head.index for head in network.heads)})
        with engine.compile(network, threads=threads, outputs=self.outputs) as runner:
            self._found = [runner(np.ascontiguousarray(image)) for image in images]
        self._expected = self._detections(network, self._found)

    @property
    def detections(self) -> int:
        """Number of detections of the original on all images."""
        return sum(int(np.count_nonzero(found.probabilities)) for found in self._expected)

    def agreement(self, network: Network, quantization: Quantization) -> list[Candidates]:
        """Detections of a quantized network on all images."""
        runner = int8_runner(network, quantization, threads=self.threads, outputs=self.outputs)
        try:
            return self._detections(network, [runner(np.ascontiguousarray(image)) for image in self.images])
        finally:
            runner.close()

    def f1(self, found: Sequence[Candidates], part: slice = slice(None)) -> float:
        """F1 of detections on all images, or on a part of them."""
        return f1_of(self._expected[part], found[part])

    def error(self, network: Network, quantization: Quantization, images: Sequence[int], *, simulated: bool = False) -> float:
        """||O - O'|| / ||O - mean|| at the inputs of the heads, on images by number."""
        if simulated:
            runner: ImageRunner = SimulatedRunner(network, quantization, threads=self.threads, outputs=self.compared)
        else:
            runner = int8_runner(network, quantization, threads=self.threads, outputs=self.compared)
        try:
            found = [runner(np.ascontiguousarray(self.images[i])) for i in images]
        finally:
            runner.close()
        expected = [np.stack([self._found[i][k] for i in images]) for k in self.compared]
        return output_error(expected, [np.stack([outputs[k] for outputs in found]) for k in self.compared])

    @staticmethod
    def _detections(network: Network, found: Sequence[dict[int, Array]]) -> list[Candidates]:
        return [agreed_detections(network, outputs) for outputs in found] if network.heads else []
