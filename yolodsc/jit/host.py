"""What LLVM says of this processor, remembered: a warm start needs nothing of LLVM, which takes 56 MB and 50 ms to load."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from yolodsc.jit.cache.key import cache_key
from yolodsc.jit.cache.store import load_cached, store_cached

SAYING = (
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features",
)  # fmt: skip
"""Lines of /proc/cpuinfo that tell processors apart."""


@dataclass(frozen=True, slots=True)
class Host:
    """The machine in LLVM's words.

    Attributes
    ----------
    cpu
        LLVM's name.
    features
        By LLVM's name, whether this processor has them.
    triple
        Of processes like this one.
    llvm
        LLVM's version: kernels that another one compiled are not used.
    """

    cpu: str
    features: dict[str, bool]
    triple: str
    llvm: tuple[int, ...]


@cache
def host_description() -> Host:
    """The host, as remembered where the system describes its processor, else asked for."""
    name = _name()
    if name is None:
        return _asked()
    if (data := load_cached(name)) is not None:
        found = json.loads(data)
        return Host(found["cpu"], found["features"], found["triple"], tuple(found["llvm"]))
    asked = _asked()
    store_cached(name, json.dumps(asdict(asked), allow_nan=False).encode())
    return asked


def _name() -> str | None:
    """A file name that another processor or another llvmlite would not have; None where the system does not tell."""
    import llvmlite

    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return None
    pairs = [line.partition(":") for line in text.splitlines()]
    said = [(key.strip(), value.strip()) for key, _, value in pairs if key.strip() in SAYING]
    if not said:
        return None
    return f"host-{cache_key(said, llvmlite.__version__)}.json"


def _asked() -> Host:
    import llvmlite.binding as llvm

    features = {name: bool(on) for name, on in llvm.get_host_cpu_features().items()}
    return Host(llvm.get_host_cpu_name(), features, llvm.get_process_triple(), tuple(llvm.llvm_version_info))
