"""Reduced precision as values: which layers run in int8 or bf16, the scales of tensors and weights, and the NumPy reference."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
