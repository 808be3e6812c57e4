"""The chosen network on other engines, in turns with ours."""

from pathlib import Path
from tempfile import TemporaryDirectory

from yolodsc.bench import OURS, Result, benchmark_subject, compare, engine_versions, rounds_within
from yolodsc.network import Network
from yolodsc.precision import Quantization

FLOAT_PEERS = ("onnxruntime", "openvino-f32", "openvino")
INT8_PEERS = ("onnxruntime-int8", "openvino-int8")
SECONDS = 3.0
"""Of runs of each engine."""


def peer_milliseconds(
    network: Network, quantization: Quantization | None, *, precisions: tuple[str, ...], threads: int
) -> list[Result]:
    """Our engine in several precisions, and the other engines that are installed and can run the network."""
    ours = [p for p in precisions if p in OURS and (p != "int8" or quantization is not None)]
    names = (*FLOAT_PEERS, *(INT8_PEERS if quantization is not None else ()))
    installed = [name for name, version in engine_versions(names).items() if version is not None]
    with TemporaryDirectory(prefix="yolodsc") as folder:
        subject = benchmark_subject("optimized", network, Path(folder), quantization=quantization)
        results, _ = compare(
            subject,
            installed,
            threads=threads,
            rounds=rounds_within(SECONDS),
            seed=0,
            peak_gflops=None,
            precisions=ours or ("f32",),
        )
    return results
