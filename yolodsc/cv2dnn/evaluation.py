"""Outputs of OpenCV's layers, from runners of the network and of parts of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from yolodsc import engine
from yolodsc.arrays import Array, Shape
from yolodsc.cv2dnn.layer_table import DnnLayer
from yolodsc.cv2dnn.region_rows import REGION_NMS, rows_of
from yolodsc.engine import Runner
from yolodsc.network import Network, RegionLayer, RouteLayer, Weights, YoloLayer

MAX_RUNNERS = 8
"""Number of compiled runners that are kept: input sizes, sets of outputs, and inner layers."""

Needed = tuple[str, int]
"""What to compute: ``("output", index)``, or the layer ``index`` up to its ``"linear"`` or ``"product"`` stage."""


@dataclass(slots=True, eq=False)
class Evaluator:
    """Runs a network for blobs of any size and any set of OpenCV's layers; compiled runners are kept.

    Attributes
    ----------
    network
        The network at the size of its cfg.
    threads
        Threads for one image.
    region_nms
        Overlap at which ``[region]`` suppresses boxes; 0 keeps all.
    """

    network: Network
    threads: int
    region_nms: float = REGION_NMS
    _sized: dict[tuple[int, int], Network] = field(default_factory=dict)
    _runners: dict[tuple[int, int, tuple[Needed, ...]], Runner] = field(default_factory=dict)

    def at_size(self, height: int, width: int) -> Network:
        """The network for blobs of a size; a `CfgError` if the shape of an array depends on it."""
        if (height, width) not in self._sized:
            self._sized[height, width] = self.network.resized(height, width)
        return self._sized[height, width]

    def values(self, layers: Sequence[DnnLayer], blob: Array) -> list[Array]:
        """Outputs of layers for a blob (N, C, H, W), in their order."""
        network = self.at_size(*blob.shape[2:])
        needed = {need for layer in layers if (need := _need(layer))[1] >= 0}
        outputs = self._outputs(network, needed, blob)
        return [self._value(layer, network, outputs, blob) for layer in layers]

    def close(self) -> None:
        """Release all runners."""
        while self._runners:
            self._runners.popitem()[1].close()

    def _outputs(self, network: Network, needed: Iterable[Needed], blob: Array) -> dict[Needed, Array]:
        """Everything that is needed, each (N, C, H, W)."""
        whole = tuple(sorted(one for one in needed if one[0] == "output"))
        found: dict[Needed, Array] = {}
        if whole:
            runner = self._runner(network, whole)
            found |= {("output", index): array for index, array in runner(blob).items()}
        for one in needed:
            if one[0] != "output":
                found[one] = self._runner(network, (one,))(blob)[one[1]]
        return found

    def _runner(self, network: Network, needed: tuple[Needed, ...]) -> Runner:
        key = (*network.input_shape[1:], needed)
        runner = self._runners.pop(key, None)
        if runner is None:
            stage, index = needed[0]
            part = network if stage == "output" else truncated(network, index, product=stage == "product")
            runner = engine.compile(part, threads=self.threads, outputs=[one[1] for one in needed])
        self._runners[key] = runner  # the last used is the last
        while len(self._runners) > MAX_RUNNERS:
            self._runners.pop(next(iter(self._runners))).close()
        return runner

    def _value(self, layer: DnnLayer, network: Network, outputs: dict[Needed, Array], blob: Array) -> Array:
        """The output of one layer."""
        if layer.index < 0:
            return blob
        own, need = network.layers[layer.index], _need(layer)
        x = blob if need[1] < 0 else outputs[need]
        if layer.stage == "rows" and isinstance(own, YoloLayer | RegionLayer):
            shape = Shape(*blob.shape[1:])
            rows = [rows_of(own, image, blob=shape, region_nms=self.region_nms) for image in x]
            return rows[0] if len(rows) == 1 else np.stack(rows)
        if layer.stage == "permuted":
            return np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        if layer.stage == "slice" and isinstance(own, RouteLayer):
            return np.ascontiguousarray(np.split(x, own.groups, axis=1)[own.group_id])
        if layer.stage == "crop":
            return (x + np.float32(1)) / np.float32(2)
        return x.reshape(len(x), -1) if layer.flat else x


def _need(layer: DnnLayer) -> Needed:
    """What the output of a layer is computed from."""
    if layer.source is not None:
        return "output", layer.source
    return (layer.stage if layer.stage in ("linear", "product") else "output"), layer.index


def truncated(network: Network, index: int, *, product: bool) -> Network:
    """The network up to a layer without its activation, and with ``product`` also without its batch norm and biases."""
    sections, weights = list(network.cfg.sections[: index + 2]), list(network.weights[: index + 1])
    changes: dict[str, str | int] = {"activation": "linear"}
    if product:
        changes["batch_normalize"] = 0
        weights[index] = _bare(weights[index])
    sections[-1] = sections[-1].replaced(**changes)
    part = network.with_sections(sections, weights)
    return replace(part, notes=())


def _bare(arrays: Weights) -> Weights:
    """Weights with biases of 0 and without batch norm."""
    return {"biases": np.zeros_like(arrays["biases"]), "weights": arrays["weights"]}
