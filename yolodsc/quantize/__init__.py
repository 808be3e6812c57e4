"""Calibration of int8 networks on unlabelled images: ranges, equalization, bias correction, rounding, mixed precision."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
