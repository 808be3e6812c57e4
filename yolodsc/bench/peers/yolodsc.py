"""Our own engine, as everything else uses it."""

from yolodsc import engine
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.network import Network
from yolodsc.shape import Array


class Yolodsc(Engine):
    """``engine.compile``."""

    distribution = "yolodsc"

    def __init__(self, job: Job) -> None:
        self.outputs = job.outputs
        self.runner = engine.compile(Network.load(job.cfg, job.weights), threads=job.threads, outputs=job.outputs)

    def __call__(self, picture: Array) -> list[Array]:
        """Run."""
        maps = self.runner(picture)
        return [maps[index] for index in self.outputs]

    @classmethod
    def version(cls) -> str:
        """Of this program."""
        import yolodsc

        return yolodsc.__version__
