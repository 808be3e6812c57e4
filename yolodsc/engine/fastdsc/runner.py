"""The FastDSC runner: a list of steps over buffers that are allocated once."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.fastdsc.convolution import Pointwise, convolution_step
from yolodsc.engine.fastdsc.matmul import MatmulPool, Step
from yolodsc.engine.plan.graph import is_pool
from yolodsc.engine.runtime.blas import single_threaded_blas
from yolodsc.engine.runtime.entry import PlanEntry
from yolodsc.engine.runtime.head_activation import Activation, reference_activation
from yolodsc.jit import ForkLock
from yolodsc.network import INPUT_INDEX, MAX_WORKING, ConvolutionalLayer, Head, Layer, MaxpoolLayer, Network, Weights, reachable


class FastDscRunner:
    """Runs one network. Several threads may call it; it runs one image at a time.

    Parameters
    ----------
    threads
        Number of threads for matrix products.
    outputs
        Absolute indices of the layers whose outputs a call returns.
    pointwise
        ``flat`` is FastDSC; ``im2col`` is the method that it replaces.
    """

    streams = 1

    def __init__(self, network: Network, *, threads: int, outputs: Sequence[int], pointwise: Pointwise = "flat") -> None:
        self.network = network
        self.threads = max(1, threads)
        self._pool = MatmulPool(self.threads)
        self._pointwise: Pointwise = pointwise
        self._lock = ForkLock()
        self._image = np.zeros(network.input_shape, np.float32)
        self._buffers: dict[int, Array] = {INPUT_INDEX: self._image}
        self._steps: list[tuple[int, Step]] = []
        self._outputs = tuple(outputs)
        for index in reachable(network.layers, outputs):
            layer, weights = network.layers[index], network.weights[index]
            inputs = [self._buffers[source] for source in layer.sources]
            out = self._buffers[index] = np.empty(layer.shape, np.float32)
            self._steps.append((index, _step(layer, weights, inputs, out, pointwise, self._pool)))

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index for one image (C, H, W), or for a batch (N, C, H, W)."""
        if images.ndim == self._image.ndim:
            return self._run(images)
        results = [self._run(image) for image in images]
        return {
            index: np.stack([result[index] for result in results])
            if results
            else np.empty((0, *self.network.layers[index].shape), np.float32)
            for index in self._outputs
        }

    def run_into(self, image: Array, out: Mapping[int, Array]) -> None:
        """See `Runner`."""
        for index, array in self._run(image).items():
            out[index][:] = array

    def activation(self, head: Head, x: Array, y: Array) -> Activation:
        """See `Runner`."""
        return reference_activation(head, x, y)

    def steps(self) -> list[tuple[int, Step]]:
        """Return the index of each layer that runs and its step, in order, to be timed one by one."""
        return self._steps

    def entries(self) -> list[PlanEntry]:
        """Return one entry per layer."""
        return [_entry(self.network.layers[index], self.network.weights[index], step) for index, step in self._steps]

    def clone(self) -> Self:
        """Another runner with buffers of its own."""
        return type(self)(self.network, threads=self.threads, outputs=self._outputs, pointwise=self._pointwise)

    def close(self) -> None:
        """Release the threads."""
        with self._lock.held():
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self, image: Array) -> dict[int, Array]:
        with self._lock.held(), single_threaded_blas():
            self._image[:] = image
            with np.errstate(all="ignore"):
                for _, step in self._steps:
                    step()
            return {index: self._buffers[index].copy() for index in self._outputs}


def _entry(layer: Layer, weights: Weights, step: Step) -> PlanEntry:
    numbers = sum(shape.size for shape in layer.inputs) + layer.shape.size
    return PlanEntry(
        name=layer.type,
        layers=(layer.index,),
        shape=layer.shape,
        layout="planar",
        tile="",
        macs=layer.multiply_adds(),
        bytes=4 * numbers + sum(array.nbytes for array in weights.values()),
        run=step,
    )


def _step(layer: Layer, weights: Weights, inputs: list[Array], out: Array, pointwise: Pointwise, pool: MatmulPool) -> Step:
    """Return the fast step of a layer if it has one, else its own `forward` into the buffer."""
    if isinstance(layer, ConvolutionalLayer) and layer.ordinary and _windows_fit(layer):
        return convolution_step(layer, weights, inputs[0], out, pointwise=pointwise, pool=pool)
    if isinstance(layer, MaxpoolLayer) and not (layer.maxpool_depth or layer.antialiasing):
        return _maxpool_step(layer, inputs[0], out)

    def reference() -> None:
        out[:] = layer.forward(inputs, weights)

    return reference


def _windows_fit(layer: ConvolutionalLayer) -> bool:
    """Whether the convolution needs no im2col matrix, or one of acceptable size; `forward` needs none."""
    return layer.pointwise or layer.depthwise or layer.columns <= MAX_WORKING


def _maxpool_step(layer: MaxpoolLayer, x: Array, out: Array) -> Step:
    """Return a step that takes maxima of shifted views, first along columns, then along rows."""
    (channels, height, width), padding = x.shape, layer.padding // 2
    rows = (layer.shape.height - 1) * layer.stride_y + layer.size
    columns = (layer.shape.width - 1) * layer.stride_x + layer.size
    lowest = -np.inf if is_pool(layer) else np.finfo(np.float32).min  # an empty window holds the lowest float
    padded = np.full((channels, max(rows, padding + height), max(columns, padding + width)), lowest, np.float32)
    interior = padded[:, padding : padding + height, padding : padding + width]
    row_maxima = np.empty((channels, layer.shape.height, padded.shape[2]), np.float32)
    stop_y, stop_x = (layer.shape.height - 1) * layer.stride_y + 1, (layer.shape.width - 1) * layer.stride_x + 1
    row_views = [padded[:, k : k + stop_y : layer.stride_y] for k in range(layer.size)]
    column_views = [row_maxima[:, :, k : k + stop_x : layer.stride_x] for k in range(layer.size)]

    def step() -> None:
        interior[:] = x
        _maximum(row_views, row_maxima)
        _maximum(column_views, out)

    return step


def _maximum(views: list[Array], out: Array) -> None:
    out[:] = views[0]
    for view in views[1:]:
        np.maximum(out, view, out=out)
