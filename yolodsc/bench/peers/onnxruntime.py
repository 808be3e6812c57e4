"""ONNX Runtime on its CPU provider, with default settings except for the number of threads."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine


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
    """One session of a model of 8-bit weights."""

    precision = "int8"

    @staticmethod
    def file(job: Job) -> str:
        """The model with 8-bit weights."""
        return job.onnx_int8
