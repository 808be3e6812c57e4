"""``compile(network, threads=…)`` gives a `Runner`: a compiled network with its buffers."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from yolodsc.arrays import Array
from yolodsc.engine.runtime.entry import PlanEntry
from yolodsc.network import Network

if TYPE_CHECKING:
    from yolodsc.engine.fastdsc.runner import FastDscRunner
    from yolodsc.engine.runtime.fused_runner import FusedRunner
    from yolodsc.jit import Isa


class Runner(Protocol):
    """A compiled network with its buffers; may be called from several threads, one call running at a time.

    Attributes
    ----------
    threads, streams
        How many threads a call uses, and how many calls run at the same time: at most as asked for, cut to the cores.
    """

    threads: int
    streams: int

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index for (C, H, W), each of its layer's shape; for (N, C, H, W) with N in front.

        The arrays belong to the caller.
        """
        ...

    def entries(self) -> list[PlanEntry]:
        """The plan: an entry an operation, in order."""
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def compile(  # noqa: A001
    network: Network,
    threads: int = 1,
    outputs: Sequence[int] | None = None,
    *,
    isa: str | None = None,
    streams: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Runner:
    """Plan a network for repeated running: fused kernels where this machine can have them, else FastDSC.

    Parameters
    ----------
    threads
        The most threads that one call uses; never more than this process has cores for.
    outputs
        Layers whose outputs are handed back: the heads unless given, or the last layer where there is no head.
    isa
        Instruction set to make kernels for, one of `isa.available`, or ``"none"`` for FastDSC; YOLODSC_ISA or the best
        unless given.
    streams
        The most calls that run at the same time, each with ``threads`` threads and buffers of its own; all of them together
        never use more threads than there are cores.
    progress
        Called with (done, all) while kernels are compiled that the cache does not have.

    Raises
    ------
    OptionError
        For an ``isa`` that this machine cannot run.
    EngineError
        For a network that is too large to address.
    """
    from yolodsc.engine.runtime.cores import capped_at_cores
    from yolodsc.engine.selection import select_backend

    if outputs is None:
        outputs = [head.index for head in network.heads] or [network.output]
    threads, streams = capped_at_cores(threads, streams)
    chosen = select_backend(isa).isa
    first = _fused(network, threads, outputs, chosen, progress) if chosen else _fastdsc(network, threads, outputs)
    if streams == 1:
        return first
    from yolodsc.engine.runtime.streams import Streams

    return Streams([first, *(first.clone() for _ in range(streams - 1))])


def _fused(
    network: Network, threads: int, outputs: Sequence[int], isa: "Isa", progress: Callable[[int, int], None] | None
) -> "FusedRunner":
    from yolodsc.engine.runtime.fused_runner import FusedRunner

    return FusedRunner(network, threads=threads, outputs=outputs, isa=isa, progress=progress)


def _fastdsc(network: Network, threads: int, outputs: Sequence[int]) -> "FastDscRunner":
    from yolodsc.engine.fastdsc.runner import FastDscRunner

    return FastDscRunner(network, threads=threads, outputs=outputs)
