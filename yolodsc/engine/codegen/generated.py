"""What all generated kernels have in common: a description that stands for their IR in the keys of the cache."""

from functools import cache
from pathlib import Path

from yolodsc.jit import file_digest
from yolodsc.values import Value


class GeneratedKernel(Value):
    """A kernel whose IR depends on its class, its fields and the sources of this package, and on nothing else.

    A warm start therefore needs no IR: writing it takes longer than loading the code.
    """

    def description(self) -> tuple[str, ...]:
        """Return what determines the IR."""
        kind = type(self)
        return kind.__module__, kind.__qualname__, repr(self), _package_digest()


@cache
def _package_digest() -> str:
    return file_digest(*sorted(Path(__file__).parent.rglob("*.py")))
