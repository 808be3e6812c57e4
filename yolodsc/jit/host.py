"""LLVM's description of this processor, cached: loading LLVM takes 56 MB and 50 ms, which a warm start avoids."""

from functools import cache
from pathlib import Path

from msgspec.json import decode, encode

from yolodsc.jit.cache.key import cache_key
from yolodsc.jit.cache.store import load_cached, store_cached
from yolodsc.values import Value

CPUINFO_KEYS = (
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features",
)  # fmt: skip
"""Lines of /proc/cpuinfo that distinguish processors."""


class Host(Value):
    """The machine in LLVM's terms.

    Attributes
    ----------
    cpu
        LLVM's name of the processor.
    features
        Whether the processor has each feature, by LLVM's name.
    triple
        Target triple of this process.
    llvm
        LLVM's version, part of the keys of the kernel cache.
    """

    cpu: str
    features: dict[str, bool]
    triple: str
    llvm: tuple[int, ...]


@cache
def host_description() -> Host:
    """Return the host, from the cache if the system describes its processor, else from LLVM."""
    name = _name()
    if name is None:
        return _from_llvm()
    if (data := load_cached(name)) is not None:
        return decode(data, type=Host)
    described = _from_llvm()
    store_cached(name, encode(described))
    return described


def _name() -> str | None:
    """Return a file name specific to the processor and llvmlite; None if the system does not describe the processor."""
    import llvmlite

    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return None
    pairs = [line.partition(":") for line in text.splitlines()]
    described = [(key.strip(), value.strip()) for key, _, value in pairs if key.strip() in CPUINFO_KEYS]
    if not described:
        return None
    return f"host-{cache_key(described, llvmlite.__version__)}.json"


def _from_llvm() -> Host:
    import llvmlite.binding as llvm

    features = {name: bool(on) for name, on in llvm.get_host_cpu_features().items()}
    return Host(llvm.get_host_cpu_name(), features, llvm.get_process_triple(), tuple(llvm.llvm_version_info))
