"""A network as an ONNX model: `export_onnx`. Each family of layers has one file; `LAYERS` in ``layers.py`` lists them all."""

from yolodsc.convert.onnx.export import Heads, export_onnx

__all__ = ["Heads", "export_onnx"]
