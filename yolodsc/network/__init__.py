"""A Darknet network as a value: layers, weights, the NumPy reference of every layer, boxes and suppression."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
