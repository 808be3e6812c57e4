"""`Net`: a network with the methods of ``cv2.dnn.Net``."""

import logging
import os
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.cv2dnn.cost import flops, memory, output_shape
from yolodsc.cv2dnn.evaluation import Evaluator
from yolodsc.cv2dnn.layer_table import DnnLayer, layer_table, unconnected
from yolodsc.cv2dnn.net_layer import NetLayer
from yolodsc.errors import OptionError
from yolodsc.network import Network

_log = logging.getLogger("yolodsc.cv2dnn")

BlobShape = Sequence[int]


class Net:
    """A Darknet network; the documentation of ``cv2.dnn.Net`` describes the methods.

    The network runs on all cores, or on as many as ``cv2.setNumThreads`` allowed when its first blob came. Backends and targets
    are accepted and have no effect.

    Attributes
    ----------
    network
        The network that runs, for the rest of yolodsc; None of an empty net.
    """

    def __init__(self, network: Network | None = None) -> None:
        self.network = network
        self._table: tuple[DnnLayer, ...] = layer_table(network) if network else ()
        self._ids = {layer.name: number for number, layer in enumerate(self._table)}
        self._evaluator: Evaluator | None = None
        self._region_nms: float | None = None
        self._blob: Array | None = None
        self._nanoseconds = 0

    def __repr__(self) -> str:
        return f"Net({self.network!r})" if self.network else "Net()"

    def empty(self) -> bool:
        """Whether there are no layers."""
        return self.network is None

    def setInput(self, blob: ArrayLike, name: str = "", scalefactor: float = 1.0, mean: Any = (0, 0, 0, 0)) -> None:  # noqa: N802
        """Set the blob (N, C, H, W), float32 or uint8, that `forward` reads; (blob - mean) * scalefactor is computed first.

        Raises
        ------
        OptionError
            The blob has another number of axes or channels, or another type.
        """
        del name
        channels = self._network().input_shape.channels
        array = np.asarray(blob)
        if array.ndim != 4 or array.shape[1] != channels or not array.size:
            raise OptionError(f"blob: shape {array.shape}; expected (N, {channels}, height, width)", parameter="blob")
        if array.dtype not in (np.float32, np.float64, np.float16, np.uint8):
            raise OptionError(f"blob: values of {array.dtype}; expected float32 or uint8", parameter="blob")
        values = array.astype(np.float32, order="C")  # a copy: the caller may go on using the blob
        shift = _scalar(mean, channels)
        if shift.any():
            values -= shift[:, None, None]
        if scalefactor != 1:
            values *= np.float32(scalefactor)
        self._blob = values

    @overload
    def forward(self, outputName: str = "") -> Array: ...
    @overload
    def forward(self, outputName: list[str] | tuple[str, ...]) -> tuple[Array, ...]: ...
    def forward(self, outputName: Any = "", **named: Any) -> Array | tuple[Array, ...]:
        """Output of the named layer, by default the last; of several layers a tuple.

        Raises
        ------
        OptionError
            No blob was set, or there is no layer of this name.
        """
        names = named.get("outBlobNames", named.get("outputs", outputName))
        if isinstance(names, str):
            return self._values([names or self._table[-1].name])[0]
        return tuple(self._values(list(names)))

    def forwardAndRetrieve(self, outBlobNames: Sequence[str]) -> list[list[Array]]:  # noqa: N802
        """Outputs of the named layers, each in a list of its own."""
        return [[value] for value in self._values(list(outBlobNames))]

    def getLayerNames(self) -> tuple[str, ...]:  # noqa: N802
        """Names of all layers but the input, in the order of their ids from 1."""
        return tuple(layer.name for layer in self._table[1:])

    def getUnconnectedOutLayers(self) -> NDArray[np.int32]:  # noqa: N802
        """Ids of the output layers."""
        return np.array(unconnected(self._table), np.int32)

    def getUnconnectedOutLayersNames(self) -> tuple[str, ...]:  # noqa: N802
        """Names of the output layers."""
        return tuple(self._table[number].name for number in unconnected(self._table))

    def getLayerId(self, layer: str) -> int:  # noqa: N802
        """Id of a layer by name; -1 if there is none."""
        return self._ids.get(layer, -1)

    def getLayer(self, layerId: int | str) -> NetLayer:  # noqa: N802
        """A layer by id or name."""
        layer = self._table[self._id(layerId)]
        return NetLayer.of(layer, self._network())

    def getLayerTypes(self) -> tuple[str, ...]:  # noqa: N802
        """Types of layers that occur, sorted."""
        return tuple(sorted({layer.type for layer in self._table}))

    def getLayersCount(self, layerType: str) -> int:  # noqa: N802
        """Number of layers of a type."""
        return sum(layer.type == layerType for layer in self._table)

    def getLayersShapes(self, netInputShape: BlobShape) -> tuple[Any, Any, Any]:  # noqa: N802
        """Ids, input shapes and output shapes of all layers for a blob of this shape."""
        batch, table = self._sized(netInputShape)
        out = [np.array(output_shape(layer, batch=batch), np.int32) for layer in table]
        inputs = [tuple(out[number] for number in layer.inputs) or (out[0],) for layer in table]
        return np.arange(len(table), dtype=np.int32), tuple(inputs), tuple((one,) for one in out)

    def getFLOPS(self, *arguments: Any) -> int:  # noqa: N802
        """Operations for a blob of a shape, as OpenCV counts them; of one layer if its id comes before the shape."""
        batch, table = self._sized(arguments[-1])
        chosen = table if len(arguments) == 1 else [table[self._id(arguments[0])]]
        return sum(flops(layer, table, self._network(), batch=batch) for layer in chosen)

    def getMemoryConsumption(self, *arguments: Any) -> tuple[int, int]:  # noqa: N802
        """Bytes of weights and of outputs for a blob of a shape."""
        batch, table = self._sized(arguments[-1])
        return memory(table, self._network(), batch=batch)

    def getPerfProfile(self) -> tuple[int, NDArray[np.float64]]:  # noqa: N802
        """Ticks of the last `forward`, for ``cv2.getTickFrequency``, and those of each layer.

        The engine runs layers together, so that the ticks of the last layer are those of all of them, and the others' are 0.
        """
        import cv2

        ticks = int(self._nanoseconds * cv2.getTickFrequency() / 1e9)
        timings = np.zeros(max(0, len(self._table) - 1))
        timings[-1:] = ticks
        return ticks, timings

    def setPreferableBackend(self, backendId: int) -> None:  # noqa: N802
        """Accept a backend, without effect."""
        _log.info("backend %s: yolodsc runs its own engine on the CPU", backendId)

    def setPreferableTarget(self, targetId: int) -> None:  # noqa: N802
        """Accept a target, without effect."""
        _log.info("target %s: yolodsc runs its own engine on the CPU", targetId)

    def enableFusion(self, fusion: bool) -> None:  # noqa: N802
        """Accept the option, without effect."""
        _log.info("fusion %s: layers are always fused", fusion)

    def enableWinograd(self, useWinograd: bool) -> None:  # noqa: N802
        """Accept the option, without effect."""
        _log.info("Winograd %s: the engine selects the algorithm", useWinograd)

    def setInputsNames(self, inputBlobNames: Sequence[str]) -> None:  # noqa: N802
        """Accept the names, without effect: there is one input."""
        _log.info("inputs %s: the network has one input", list(inputBlobNames))

    def setInputShape(self, inputName: str, shape: BlobShape) -> None:  # noqa: N802
        """Check that the network can read blobs of a shape; a `CfgError` otherwise."""
        del inputName
        self._sized(shape)

    def dump(self) -> str:
        """The layers as text, one a line."""
        return "\n".join(f"{number} {layer.name} {layer.type} {layer.shape}" for number, layer in enumerate(self._table))

    def disable_region_nms(self) -> None:
        """Keep all boxes of ``[region]``, as `DetectionModel` does before its own suppression."""
        self._region_nms = 0.0
        if self._evaluator:
            self._evaluator.region_nms = 0.0

    def _values(self, names: Sequence[str]) -> list[Array]:
        if self._blob is None:
            raise OptionError("no blob to run on: expected setInput before forward")
        layers = [self._table[self._id(name)] for name in names]
        if self._evaluator is None:
            self._evaluator = Evaluator(self._network(), _threads())
            if self._region_nms is not None:
                self._evaluator.region_nms = self._region_nms
        start = perf_counter_ns()
        values = self._evaluator.values(layers, self._blob)
        self._nanoseconds = perf_counter_ns() - start
        return values

    def _network(self) -> Network:
        if self.network is None:
            raise OptionError("this net is empty: expected readNetFromDarknet before")
        return self.network

    def _id(self, layer: int | str) -> int:
        self._network()
        number = self._ids.get(layer, -1) if isinstance(layer, str) else int(layer)
        if not 0 <= number < len(self._table):
            raise OptionError(f"layer {layer}: not in this network; expected one of getLayerNames()")
        return number

    def _sized(self, shape: Any) -> tuple[int, Sequence[DnnLayer]]:
        """Batch size and layers for a blob of a shape."""
        batch, channels, height, width = map(int, np.asarray(shape).reshape(-1))
        network = self._network()
        if channels != network.input_shape.channels:
            raise OptionError(f"blob of {channels} channels; expected {network.input_shape.channels}")
        return batch, layer_table(network.resized(height, width))


def _scalar(value: Any, channels: int) -> Array:
    """OpenCV's scalar as a value for each channel; a single number stands for the first."""
    given = np.zeros(max(4, channels), np.float32)
    numbers = np.atleast_1d(np.asarray(value, np.float32)).reshape(-1)
    given[: len(numbers)] = numbers[: len(given)]
    return given[:channels]


def _threads() -> int:
    """Threads that OpenCV would use, limited by the cores of this process."""
    import cv2

    threads, _ = engine.capped_at_cores(max(1, min(cv2.getNumThreads(), os.cpu_count() or 1)), 1)
    return threads
