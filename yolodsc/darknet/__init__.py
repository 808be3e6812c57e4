"""Darknet's files and conventions: ``.cfg``, ``.names``, ``.data``, and the profiles of its variants."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
