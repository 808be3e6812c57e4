"""`Runner`: what every backend returns for a network."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from yolodsc.arrays import Array
from yolodsc.engine.runtime.entry import PlanEntry
from yolodsc.engine.runtime.head_activation import Activation
from yolodsc.network import Head


class Runner(Protocol):
    """A compiled network with its buffers; may be called from several threads, one call running at a time.

    Attributes
    ----------
    threads, streams
        Threads per call and concurrent calls: at most as requested, limited by the number of cores.
    """

    threads: int
    streams: int

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index for (C, H, W), each of its layer's shape; for (N, C, H, W) with N in front.

        The arrays are new; the caller may modify them.
        """
        ...

    def run_into(self, image: Array, out: Mapping[int, Array]) -> None:
        """Write the outputs for one image (C, H, W) into arrays of the layers' shapes."""
        ...

    def activation(self, head: Head, x: Array, y: Array) -> Activation:
        """The function that writes the activations of the first boxes of ``x`` (entries, N) into ``y``.

        The bits are those that the head's output has in this backend. ``head`` must be based on anchors, N a multiple of 16.
        """
        ...

    def entries(self) -> list[PlanEntry]:
        """The plan: one entry per operation, in order."""
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
