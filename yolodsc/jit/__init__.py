"""Machine code: LLVM IR and Numba functions are compiled once, cached, and later loaded without a compiler."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
