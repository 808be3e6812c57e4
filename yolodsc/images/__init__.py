"""Images: reading, Darknet's resize and letterbox, drawing, and a JPEG decoder that equals stb_image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
