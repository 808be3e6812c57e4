"""The fast executor: ``compile(network, threads=…)`` gives a `Runner`.

Everything above this floor sees these two names only.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from yolodsc.network import Network
from yolodsc.shape import Array


class Runner(Protocol):
    """A compiled network with its buffers; may be called from several threads, one call running at a time."""

    def __call__(self, pictures: Array) -> dict[int, Array]:
        """Outputs by layer index for (C, H, W), each of its layer's shape; for (N, C, H, W) with N in front.

        The arrays belong to the caller.
        """
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def compile(network: Network, threads: int = 1, outputs: Sequence[int] | None = None) -> Runner:  # noqa: A001
    """Plan a network for repeated running.

    Parameters
    ----------
    threads
        The most threads that one call uses.
    outputs
        Layers whose outputs are handed back: the heads unless given, or the last layer where there is no head.
    """
    from yolodsc.engine.fastdsc import FastDscRunner

    if outputs is None:
        outputs = [head.index for head in network.heads] or [network.output]
    return FastDscRunner(network, threads=threads, outputs=outputs)
