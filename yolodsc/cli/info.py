"""``yolodsc info``."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yolodsc
from yolodsc.cli import options
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import say
from yolodsc.detection import bundled_models
from yolodsc.engine import select_backend
from yolodsc.files import exists
from yolodsc.jit import available_isas, cache_directory, contents, distrust_reason, host_description

LIBRARIES = ("numpy", "numba", "llvmlite", "opencv-python", "pillow")
EXTRAS = ("scikit-image", "matplotlib", "onnx", "safetensors", "distributed", "pyarrow", "fsspec")

CLUSTER_NOTE = (
    "a Dask scheduler runs the code of whoever reaches its port: use --tls-ca, --tls-cert and --tls-key, or a private network"
)

MISSING = "not installed"


def info(isa: options.Isa = None) -> int:
    """Print versions, processor, the active backend and why it was chosen, caches and threads: what a bug report should contain."""
    say(*aligned([*_versions(), *_kernels(isa), *_threads(), *_cluster()], left=2, heading=False))
    return 0


def _versions() -> Iterator[tuple[str, str]]:
    yield "yolodsc", yolodsc.__version__
    yield "python", f"{platform.python_version()} on {platform.platform(terse=True)}"
    for name in LIBRARIES:
        yield name, _version(name)
    yield "extras", ", ".join(f"{name} {_version(name)}" for name in EXTRAS)
    yield "networks", ", ".join(bundled_models()) or "none"


def _cluster() -> Iterator[tuple[str, str]]:
    """What users of a scheduler need to know, if Dask is installed."""
    if _version("distributed") != MISSING:
        yield "scheduler", CLUSTER_NOTE


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


def _kernels(isa: str | None) -> Iterator[tuple[str, str]]:
    chosen = select_backend(isa)
    yield "processor", _processor()
    yield "kernels", f"{chosen.isa.name if chosen.isa else 'none, so FastDSC serves'}: {chosen.reason}"
    if chosen.isa is not None:
        yield "others", ", ".join([*(name for name in available_isas() if name != chosen.isa.name), "none"])
    yield "kernel cache", _cache()


def _cache() -> str:
    """Directory, number and size of cached kernels, and why the cache is not used if it is not."""
    sizes, reason = contents(), distrust_reason()
    try:
        folder = f"{cache_directory()}: "
    except OSError:
        folder = ""
    return f"{folder}{len(sizes)} files, {sum(sizes) / 1e6:.2f} MB{f'; not used: {reason}' if reason else ''}"


def _processor() -> str:
    """Name of the processor according to the system, and to LLVM."""
    named = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if exists(information):
        lines = information.read_text(errors="replace").splitlines()
        named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), named)
    try:
        return f"{named} ({host_description().cpu})"
    except (ImportError, OSError):
        return named


def _threads() -> Iterator[tuple[str, str]]:
    from threadpoolctl import threadpool_info

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield "cores", f"{usable} usable of {os.cpu_count() or 1}"
    for library in threadpool_info():
        if library["user_api"] == "blas":
            yield "BLAS", f"{library['internal_api']} {library['version']}, {library['num_threads']} threads"
