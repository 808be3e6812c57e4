"""``compile(network, threads=…)`` returns a `Runner`: a compiled network with its buffers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from yolodsc.engine.runtime.runner import Runner
from yolodsc.errors import OptionError
from yolodsc.network import Network

if TYPE_CHECKING:
    from yolodsc.engine.fastdsc.runner import FastDscRunner
    from yolodsc.engine.runtime.fused_runner import FusedRunner
    from yolodsc.jit import Isa
    from yolodsc.precision import Precision, Quantization


def compile(  # noqa: A001
    network: Network,
    threads: int = 1,
    outputs: Sequence[int] | None = None,
    *,
    isa: str | None = None,
    streams: int = 1,
    progress: Callable[[int, int], None] | None = None,
    precision: str = "f32",
    quantization: "Quantization | None" = None,
) -> Runner:
    """Compile a network for repeated runs: fused kernels if this machine supports them, else FastDSC.

    Parameters
    ----------
    threads
        Maximum number of threads per call; limited by the number of cores of this process.
    outputs
        Layers whose outputs are returned; by default the heads, or the network's output.
    isa
        One of `yolodsc.jit.available_isas`, or ``"none"`` for FastDSC; by default YOLODSC_ISA or the best one.
    streams
        Maximum number of concurrent calls, each with its threads and buffers; together at most one thread per core.
    progress
        Called with (done, total) while kernels are compiled that are not in the cache.
    precision
        ``f32``; ``bf16``: products of bf16 that are summed in float32, where the processor has instructions for them; ``int8``:
        what ``quantization`` says; ``auto``: int8 with a quantization, else bf16. FastDSC and other processors compute in float32.
    quantization
        Made by ``yolodsc quantize``.

    Raises
    ------
    OptionError, QuantizationError
        This machine cannot run ``isa``; ``int8`` has no quantization, or one that does not fit the network.
    EngineError
        The network is too large to address.
    """
    from yolodsc.engine.runtime.cores import capped_at_cores
    from yolodsc.engine.selection import select_backend

    if outputs is None:
        outputs = [head.index for head in network.heads] or [network.output]
    chosen = _chosen_precision(network, precision, quantization)
    threads, streams = capped_at_cores(threads, streams)
    if selected := select_backend(isa).isa:
        if chosen == "int8" and not selected.int8:  # the float32 weights of the network serve
            chosen = "f32"
        return _streamed(_fused(network, threads, outputs, selected, progress, chosen, quantization), streams)
    return _streamed(_fastdsc(network, threads, outputs), streams)


def _streamed(first: "FusedRunner | FastDscRunner", streams: int) -> Runner:
    """A runner and clones of it for concurrent calls."""
    if streams == 1:
        return first
    from yolodsc.engine.runtime.streams import Streams

    return Streams([first, *(first.clone() for _ in range(streams - 1))])


def _chosen_precision(network: Network, precision: str, quantization: "Quantization | None") -> "Precision":
    """The precision of an option, which is validated together with the quantization."""
    chosen = resolved_precision(precision, quantization)
    if chosen != "int8":
        return chosen
    if quantization is None:
        raise OptionError(
            f"precision=int8: {network.cfg.file} has no quantization; expected one made by yolodsc quantize", parameter="precision"
        )
    from yolodsc.precision import check_quantization

    check_quantization(network, quantization)
    return "int8"


def resolved_precision(precision: str, quantization: "Quantization | None") -> "Precision":
    """Return the precision of an option: ``auto`` is ``int8`` with a quantization, else ``bf16``.

    Raises
    ------
    OptionError
        The precision is unknown.
    """
    if precision == "auto":
        return "bf16" if quantization is None else "int8"
    known: dict[str, Precision] = {"f32": "f32", "bf16": "bf16", "int8": "int8"}
    if precision in known:
        return known[precision]
    raise OptionError(f"precision={precision}: expected f32, bf16, int8 or auto", parameter="precision")


def _fused(
    network: Network,
    threads: int,
    outputs: Sequence[int],
    isa: "Isa",
    progress: Callable[[int, int], None] | None,
    precision: "Precision",
    quantization: "Quantization | None",
) -> "FusedRunner":
    from yolodsc.engine.runtime.fused_runner import FusedRunner

    quantization = quantization if precision == "int8" else None
    return FusedRunner(
        network, threads=threads, outputs=outputs, isa=isa, progress=progress, precision=precision, quantization=quantization
    )


def _fastdsc(network: Network, threads: int, outputs: Sequence[int]) -> "FastDscRunner":
    from yolodsc.engine.fastdsc.runner import FastDscRunner

    return FastDscRunner(network, threads=threads, outputs=outputs)
