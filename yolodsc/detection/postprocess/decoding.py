"""`HeadDecoding`: what turns the feature maps of a network into detections, shared by all threads of a detector."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import numpy as np

from yolodsc.arrays import Array
from yolodsc.detection.detections import Detections
from yolodsc.detection.postprocess.heads import HeadLayout, layouts
from yolodsc.detection.postprocess.reference import Postprocessor, suppression_kind
from yolodsc.detection.postprocess.workspace import DECODING_KERNELS, UNDECIDED, DecodingBuffers
from yolodsc.engine import Runner
from yolodsc.images import Placement
from yolodsc.network import Candidates, Network, nms_exponent

_PATIENCE = 50
"""Images that go through NumPy before kernels are compiled that the cache does not have."""

_FIXED_POINT = 2.0**60
"""Unit of the exponent in `suppression.suppressed`."""


class Maps:
    """The feature maps that heads read, and the network's input, of one image at a time.

    Attributes
    ----------
    x : (C, H, W)
        The network's input.
    outputs
        What the runner writes, by layer index: inputs of heads that kernels decode, else outputs of heads.
    space
        Buffers of the kernels; None until they are used.
    """

    def __init__(self, network: Network, indices: tuple[int, ...]) -> None:
        self.x = np.empty(network.input_shape, np.float32)
        self.outputs = {index: np.empty(network.layers[index].shape, np.float32) for index in indices}
        self.space: DecodingBuffers | None = None


class HeadDecoding:
    """The second half of the pipeline without its thresholds; several threads may use it.

    Attributes
    ----------
    outputs
        Indices of the layers whose outputs are decoded.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.heads = layouts(network)
        decoded = {layout.head.sources[0] for layout in self.heads} or {head.index for head in network.heads}
        self.outputs = tuple(sorted(decoded))
        self._exponent = _exponent(network)
        self._idle: list[Maps] = []

    @contextmanager
    def maps(self) -> Iterator[Maps]:
        """Buffers for one image, which no other thread has."""
        try:
            maps = self._idle.pop()
        except IndexError:
            maps = Maps(self.network, self.outputs)
        try:
            yield maps
        finally:
            self._idle.append(maps)

    def head_outputs(self, runner: Runner, outputs: dict[int, Array]) -> dict[int, Array]:
        """The outputs of the heads by layer index, from the layers that are decoded: `Head.decode` reads them."""
        if not self.heads:
            return outputs
        return {layout.head.index: _activated(layout, runner, outputs[layout.head.sources[0]]) for layout in self.heads}

    def __call__(
        self, runner: Runner, maps: Maps, post: Postprocessor, placement: Placement, *, width: int, height: int, path: str | None
    ) -> tuple[Detections, Candidates]:
        """Detections in an image of ``width`` x ``height`` pixels, and the candidates before suppression that they index."""
        candidates = self.candidates(runner, maps, post, placement, width=width, height=height)
        space = maps.space
        if space is None or not post.usual:
            return post.detections(candidates, width=width, height=height, path=path), candidates
        count = space.suppress(nms_thresh=post.nms_thresh, width=width, height=height)
        if count == UNDECIDED:
            return post.detections(candidates, width=width, height=height, path=path), candidates
        (scores, objectness), (classes, ids) = space.out_numbers[:, :count].copy(), space.out_ids[:, :count].copy()
        found = Detections(space.out_boxes[:count].copy(), scores, objectness, classes, post.names, width, height, path, ids)
        return post.reported(found), candidates

    def candidates(
        self, runner: Runner, maps: Maps, post: Postprocessor, placement: Placement, *, width: int, height: int
    ) -> Candidates:
        """Boxes relative to an image of ``width`` x ``height`` pixels, before suppression."""
        if maps.space is None and self._compiled:
            maps.space = DecodingBuffers(self.heads, runner, maps.outputs, exponent=self._exponent or 0)
        if (space := maps.space) is None:
            return post.candidates(self.head_outputs(runner, maps.outputs), placement, width=width, height=height)
        rows = space.decode(placement, thresh=post.min_score, width=width, height=height)
        return Candidates(space.boxes_xywh[:rows].copy(), space.objectness[:rows].copy(), space.probabilities[:rows].copy())

    @property
    def _compiled(self) -> bool:
        """Whether kernels decode the boxes: they are in the cache, or enough images have come."""
        return bool(self.heads) and self._exponent is not None and all(kernel.pays(_PATIENCE) for kernel in DECODING_KERNELS)


def _exponent(network: Network) -> int | None:
    """The exponent of the distance in the overlap in units of 2 ** -60, 0 without one; None if no kernel computes it."""
    exponent = nms_exponent(*suppression_kind(network))
    if exponent is None:
        return 0
    return int(exponent * _FIXED_POINT) if 0 < exponent < 2 and (exponent * _FIXED_POINT).is_integer() else None


def _activated(layout: HeadLayout, runner: Runner, raw: Array) -> Array:
    """The output of a head (C, H, W) from its input."""
    area = prod(raw.shape[1:])
    planes = raw.reshape(-1, layout.entries, area)  # (anchors, entries, H W)
    x, y = (np.zeros((layout.entries, area + -area % 16), np.float32) for _ in range(2))
    activate, out = runner.activation(layout.head, x, y), np.empty_like(planes)
    for anchor, entries in enumerate(planes):
        x[:, :area] = entries
        activate(area)
        out[anchor] = y[:, :area]
    return out.reshape(raw.shape)
