"""Detection: `Detector`, `Detections`, image sources, output files and the bundled models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
