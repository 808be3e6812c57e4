"""The compiled functions of the JPEG decoder; they are compiled for the first file that needs them."""

from collections.abc import Callable
from threading import Lock

from yolodsc.jit import Kernel

_CODES = "u1[2] u1[2] i4[2] i4[2] i4[2] i8[1]"
_SCAN = "i2[2] i8[2] int int int " + _CODES
sequential = Kernel("yolodsc.images.jpeg.sequential:sequential", f"u1[1] int int u1[1] {_SCAN} i4[2] u1[1]")
progressive = Kernel("yolodsc.images.jpeg.progressive:progressive", f"u1[1] int int {_SCAN} int int int int")
planes = Kernel("yolodsc.images.jpeg.planes:planes", "i2[2] i4[2] i8[2] u1[1]")
joined = Kernel("yolodsc.images.jpeg.colour:joined", "u1[1] i8[2] int i2[1] i8[2] int u1[1]")
KERNELS = (sequential, progressive, planes, joined)
"""All kernels of the decoder."""

Progress = Callable[[int, int], None]

_LOCK = Lock()
_LOADED: set[Kernel] = set()


def load(kernels: tuple[Kernel, ...], progress: Progress | None) -> None:
    """Load kernels before they are called, so that their compilation can be reported.

    Parameters
    ----------
    progress
        Called with the number of compiled kernels and their total before each compilation and after the last one; never called if
        all kernels come from the cache.
    """
    if _LOADED.issuperset(kernels):
        return
    with _LOCK:
        missing = [] if progress is None else [kernel for kernel in kernels if not kernel.ready()]
        for number, kernel in enumerate(missing):
            if progress is not None:
                progress(number, len(missing))
            kernel.load()
        if missing and progress is not None:
            progress(len(missing), len(missing))
        _LOADED.update(kernels)
