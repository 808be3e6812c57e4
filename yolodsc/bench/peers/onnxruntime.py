"""ONNX Runtime on its CPU provider, with default settings except for the number of threads."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine

INPUT = "picture"
"""Name of the input of our ONNX files."""


class OnnxRuntime(Engine):
    """One session, with all graph optimisations, which is the default."""

    distribution = "onnxruntime"

    def __init__(self, job: Job) -> None:
        runtime: Any = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = job.threads, 1
        self.session = runtime.InferenceSession(self.file(job), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, image: Array) -> Sequence[Any]:
        """Run."""
        outputs: Sequence[Any] = self.session.run(None, {self.input: image[None]})
        return outputs

    @staticmethod
    def file(job: Job) -> str:
        """The model."""
        return job.onnx


class OnnxRuntimeInt8(OnnxRuntime):
    """One session of a model that ONNX Runtime's own tool has quantized: static, per channel, as its guide recommends for CPUs."""

    precision = "int8"

    @staticmethod
    def file(job: Job) -> str:
        """The quantized model; the first job of a network makes it."""

        def make(path: Path) -> None:
            tool: Any = import_module("onnxruntime.quantization")
            settings = {"per_channel": True, "activation_type": tool.QuantType.QUInt8, "weight_type": tool.QuantType.QInt8}
            tool.quantize_static(job.onnx, str(path), CalibrationReader(job.calibration_images()), **settings)

        return str(job.made("onnxruntime-int8.onnx", make))


class CalibrationReader:
    """Inputs by name, one at a time, as ONNX Runtime's tool asks for them."""

    def __init__(self, images: Array) -> None:
        self._remaining = iter(images)

    def get_next(self) -> dict[str, Array] | None:
        """The next image, or None."""
        image = next(self._remaining, None)
        return None if image is None else {INPUT: image[None]}


class OnnxRuntimeQdq(OnnxRuntime):
    """One session of our model with the 8-bit weights and scales of our quantization."""

    precision = "int8"

    @staticmethod
    def file(job: Job) -> str:
        """The model with 8-bit weights."""
        return job.onnx_int8
