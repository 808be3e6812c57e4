"""The engine of this package, with default settings."""

from typing import Any, Self

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.engine import Runner
from yolodsc.network import Network
from yolodsc.precision import read_quantization


class Yolodsc(Engine):
    """``engine.compile``."""

    distribution = "yolodsc"

    def __init__(self, job: Job, runner: Runner | None = None) -> None:
        self.outputs = job.outputs
        self.runner = runner or _compiled(job, self.precision)

    def __call__(self, image: Array) -> list[Array]:
        """Run."""
        outputs = self.runner(image)
        return [outputs[index] for index in self.outputs]

    @classmethod
    def open_streams(cls, job: Job) -> list[Self]:
        """One runner that takes as many calls at a time."""
        runner = _compiled(job, cls.precision)
        return [cls(job, runner) for _ in range(job.streams)]

    @classmethod
    def version(cls) -> str:
        """Version of this package."""
        import yolodsc

        return yolodsc.__version__


class YolodscBf16(Yolodsc):
    """``engine.compile`` in bf16."""

    precision = "bf16"


class YolodscInt8(Yolodsc):
    """``engine.compile`` in int8."""

    precision = "int8"


def _compiled(job: Job, precision: str) -> Runner:
    network = Network.load(job.cfg, job.weights, allow_nonfinite=True)
    quantization = read_quantization(job.quantization, network) if precision == "int8" else None
    options: dict[str, Any] = {"threads": job.threads, "outputs": job.outputs, "streams": job.streams}
    return engine.compile(network, **options, precision=precision, quantization=quantization)
