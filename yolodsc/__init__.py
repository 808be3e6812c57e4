"""Darknet YOLO networks in pure NumPy and Numba.

import yolodsc

detector = yolodsc.load("name-or-directory")
detections = detector("image.jpg")
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
