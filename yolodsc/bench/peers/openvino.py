"""OpenVINO on the CPU: its latency mode for one image, its throughput mode for streams.

`OpenVino` leaves the precision to OpenVINO, which computes in bfloat16 or float16 on processors that have instructions for it.
`OpenVinoF32` computes in float32. `OpenVinoInt8` runs what NNCF, its own tool, makes of the network. `OpenVinoQdq` reads it
with the 8-bit weights and scales of our quantization.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine


class OpenVino(Engine):
    """One request of a compiled model, in the precision that OpenVINO selects."""

    distribution = "openvino"
    hints: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, job: Job, compiled: Any = None) -> None:
        self.library: Any = import_module("openvino")
        latency = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": job.threads}
        model = compiled or self._compiled(job, latency)
        self.precision = str(model.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self.request = model.create_infer_request()
        self.count = len(job.outputs)

    def __call__(self, image: Array) -> list[Array]:
        """Run, without copies of input and outputs."""
        self.request.set_input_tensor(self.library.Tensor(image[None], shared_memory=True))
        self.request.infer()
        return [self.request.get_output_tensor(number).data for number in range(self.count)]

    @classmethod
    def open_streams(cls, job: Job) -> list[Self]:
        """Requests of one model that is compiled for as many streams."""
        count = job.streams
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": count, "INFERENCE_NUM_THREADS": count * job.threads}
        compiled = cls._compiled(job, options)
        return [cls(job, compiled) for _ in range(count)]

    @classmethod
    def _compiled(cls, job: Job, options: Mapping[str, Any]) -> Any:
        core = import_module("openvino").Core()
        return core.compile_model(cls.file(job), "CPU", {**options, **cls.hints})

    @classmethod
    def file(cls, job: Job) -> str:
        """The model."""
        return job.onnx


class OpenVinoF32(OpenVino):
    """One request of a compiled model, in float32."""

    hints: ClassVar[Mapping[str, Any]] = {"INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoInt8(OpenVino):
    """One request of a model that NNCF has quantized after training, with its preset ``MIXED``.

    Layers that are not quantized have the precision that OpenVINO selects.
    """

    def __init__(self, job: Job, compiled: Any = None) -> None:
        super().__init__(job, compiled)
        self.precision = "int8"

    @classmethod
    def file(cls, job: Job) -> str:
        """The quantized model; the first job of a network makes it."""

        def make(path: Path) -> None:
            library, tool = import_module("openvino"), import_module("nncf")
            images = job.calibration_images()
            dataset = tool.Dataset([image[None] for image in images])
            options = {"preset": tool.QuantizationPreset.MIXED, "subset_size": len(images)}
            library.save_model(tool.quantize(library.Core().read_model(job.onnx), dataset, **options), path, compress_to_fp16=False)

        return str(job.made("openvino-int8.xml", make))


class OpenVinoQdq(OpenVinoInt8):
    """One request of our model with the 8-bit weights and scales of our quantization."""

    @classmethod
    def file(cls, job: Job) -> str:
        """The model with 8-bit weights."""
        return job.onnx_int8
