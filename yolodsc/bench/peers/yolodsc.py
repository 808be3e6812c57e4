"""The engine of this package, with default settings."""

from typing import Self

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.engine import Runner
from yolodsc.network import Network


class Yolodsc(Engine):
    """``engine.compile``."""

    distribution = "yolodsc"

    def __init__(self, job: Job, runner: Runner | None = None) -> None:
        self.outputs = job.outputs
        self.runner = runner or _compiled(job)

    def __call__(self, image: Array) -> list[Array]:
        """Run."""
        outputs = self.runner(image)
        return [outputs[index] for index in self.outputs]

    @classmethod
    def open_streams(cls, job: Job) -> list[Self]:
        """One runner that takes as many calls at a time."""
        runner = _compiled(job)
        return [cls(job, runner) for _ in range(job.streams)]

    @classmethod
    def version(cls) -> str:
        """Version of this package."""
        import yolodsc

        return yolodsc.__version__


def _compiled(job: Job) -> Runner:
    network = Network.load(job.cfg, job.weights)
    return engine.compile(network, threads=job.threads, outputs=job.outputs, streams=job.streams)
