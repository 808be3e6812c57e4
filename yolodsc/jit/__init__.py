"""Machine code: LLVM IR or Numba functions compiled once, kept in a trusted cache, loaded without a compiler."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
