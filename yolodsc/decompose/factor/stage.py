"""One convolution of a chain."""

from dataclasses import dataclass

from yolodsc.decompose.factor.gram import Matrix


@dataclass(frozen=True, slots=True)
class Stage:
    """One convolution of a chain: weights (filters, channels / groups, K, K); ``spatial`` stages carry size, stride, padding.

    ``inputs`` are the channels that a first stage reads, if it does not read all: the layers before give no others.
    """

    weights: Matrix
    groups: int
    spatial: bool
    inputs: tuple[int, ...] | None = None
