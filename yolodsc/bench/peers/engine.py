"""What every engine answers."""

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
    """What pip calls its library."""

    @abstractmethod
    def __init__(self, job: Job) -> None: ...

    @abstractmethod
    def __call__(self, image: Array) -> Sequence[Any]:
        """Maps of the job's outputs, in order, for one image (C, H, W); arrays, or what NumPy makes arrays of."""

    @classmethod
    def open(cls, job: Job) -> Self:
        """Load and prepare the network."""
        return cls(job)

    @classmethod
    def open_streams(cls, job: Job) -> list[Self]:
        """As many sessions that may run at the same time: independent ones, unless the library has a mode for it."""
        return [cls(replace(job, streams=1)) for _ in range(job.streams)]

    @classmethod
    def version(cls) -> str:
        """Of the library; an `ImportError` where it is not installed."""
        return version(cls.distribution)
