"""Keys of the cache: a digest of everything that an entry depends on.

Every key covers the source of this package, which compiles code and lays it out, so an entry that another version wrote is never
read. Callers add what else their entries depend on: the text or sources of the kernel, the processor, versions of compilers.
"""

import hashlib
from functools import cache
from pathlib import Path

DIGITS = 32
"""Hexadecimal digits of a key: 128 bits."""

NUMBA_SETTINGS = (
    "BOUNDSCHECK", "CPU_FEATURES", "CPU_NAME", "DEBUGINFO", "DEBUGINFO_DEFAULT", "DISABLE_INTEL_SVML", "ENABLE_AVX",
    "EXTEND_VARIABLE_LIFETIMES", "LLVM_REFPRUNE_FLAGS", "LLVM_REFPRUNE_PASS", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE",
    "USING_SVML",
)  # fmt: skip
"""Settings of Numba that change its code: names of environment variables after ``NUMBA_``, and of attributes of its `config`."""


def cache_key(*parts: object) -> str:
    """Key of an entry that depends on ``parts``, whose `repr` must tell them apart, and on the source of this package."""
    return hashlib.sha256(repr((_package_digest(), *parts)).encode()).hexdigest()[:DIGITS]


def file_digest(*paths: str | Path) -> str:
    """Digest of the contents of files, in this order."""
    contents = (Path(path).read_bytes() for path in paths)
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


@cache
def _package_digest() -> str:
    return file_digest(*sorted(Path(__file__).parents[1].rglob("*.py")))
