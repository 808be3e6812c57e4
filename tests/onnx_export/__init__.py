"""The ONNX export against ONNX Runtime."""
