"""Interface of all engines."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any, ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.bench.job import Job


class Engine(ABC):
    """One network ready to run."""

    distribution: ClassVar[str]
    """Name of its library on PyPI."""

    precision: str = "f32"
    """Type of numbers that the network runs with."""

    @abstractmethod
    def __init__(self, job: Job) -> None: ...

    @abstractmethod
    def __call__(self, image: Array) -> Sequence[Any]:
        """Feature maps of the job's outputs, in order, for one image (C, H, W); arrays, or objects that NumPy converts."""

    @classmethod
    def open(cls, job: Job) -> Self:
        """Load and prepare the network."""
        return cls(job)

    @classmethod
    def open_streams(cls, job: Job) -> list[Self]:
        """``job.streams`` sessions that may run at the same time: independent, unless the library has a throughput mode."""
        return [cls(replace(job, streams=1)) for _ in range(job.streams)]

    @classmethod
    def version(cls) -> str:
        """Version of the library; an `ImportError` if it is not installed."""
        return version(cls.distribution)
