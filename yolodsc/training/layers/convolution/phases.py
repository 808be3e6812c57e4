"""Where the taps of a convolution lie in the phases of its input, and the memory for them."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.arguments import PhaseBuffers, PhaseLayout
from yolodsc.training.layers.context import Scratch

SLACK = 16
"""Elements that kernels may read behind a buffer."""


def phase_layout(layer: ConvolutionalLayer, channels: int, out: Array) -> PhaseLayout:
    """Return the layout for kernels that read ``channels`` channels; the phases of a channel follow those of the one before."""
    sy, sx = layer.stride_y, layer.stride_x
    extent = (layer.size - 1) * layer.dilation
    rows, pitch = out.shape[2] + extent // sy, out.shape[3] + extent // sx
    starts, phases = [], []
    for ky in range(layer.size):
        for kx in range(layer.size):
            y, x = ky * layer.dilation, kx * layer.dilation
            phases.append((y % sy) * sx + x % sx)
            starts.append((phases[-1] * rows + y // sy) * pitch + x // sx)
    order = np.argsort(phases, kind="stable")
    parts = np.searchsorted(np.sort(phases), np.arange(sy * sx + 1))
    shifts = -(np.array(starts)[order] % (rows * pitch))
    every = np.add.outer(np.arange(channels) * sy * sx * rows * pitch, starts).reshape(-1)
    return PhaseLayout(layer.padding * layer.dilation, (sy, sx, rows, pitch), every, order, shifts, parts)


class PhaseMemory:
    """Buffers for the phases of channels, for gradients of filters and for sums, in the memory of the thread."""

    def __init__(self, layout: PhaseLayout, channels: int, filters: int, scratch: Scratch) -> None:
        size = int(np.prod(layout.shape))
        area = layout.shape[2] * layout.shape[3]
        self._head = int(-layout.shifts.min())
        self._sizes = channels * size + SLACK, filters * (self._head + area + SLACK), size + SLACK
        self._scratch = scratch
        scratch.reserve(sum(self._sizes))

    def buffers(self) -> PhaseBuffers:
        """Return memory with zeros in phases and lines, for the padding."""
        memory = self._scratch.take(sum(self._sizes))
        first, second, _ = self._sizes
        memory[: first + second] = 0
        phases, line, sums = np.split(memory, [first, first + second])
        return PhaseBuffers(phases, line, self._head, sums)
