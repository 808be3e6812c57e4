"""A network as an ONNX model: `export_onnx`. One file for each family of layers, `LAYERS` in ``layers.py`` is the whole table."""

from yolodsc.convert.onnx.export import Heads, export_onnx

__all__ = ["Heads", "export_onnx"]
