"""Other formats and forms of a network: npz, safetensors, ONNX, folded batch normalization, separable folding."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
