"""Channel pruning in the metric of the data: some input channels are not read, and the weights of the others compensate.

The channels that remain are chosen by backward elimination, as in optimal brain surgeon (Hassibi & Stork 1993), by the increase of
the squared error after compensation. The convolution before has no filters for the other channels, so both become cheaper, and no
layer is added.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import scaled_solve
from yolodsc.decompose.factor.stage import Stage

RIDGE = 1e-6
STEP = 16
"""In each step, one of so many channels is left out, at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A regular convolution ``W`` (R K K, F) of the R input channels ``kept``, in ascending order, out of ``channels``."""

    name: ClassVar[str] = "pruned"
    W: Matrix
    kept: tuple[int, ...]
    channels: int

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return (self.W,)

    @property
    def rank(self) -> int:
        """R."""
        return len(self.kept)

    @property
    def taps(self) -> int:
        """K K."""
        return len(self.W) // len(self.kept)

    def dense(self) -> Matrix:
        """(C K K, F), zero for the other channels."""
        out = np.zeros((self.channels, self.taps, self.W.shape[1]))
        out[list(self.kept)] = self.W.reshape(len(self.kept), self.taps, -1)
        return out.reshape(self.channels * self.taps, -1)

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        return (dense.reshape(self.channels, self.taps, -1)[list(self.kept)].reshape(self.W.shape),)

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        del before
        return self.W.size * after

    def stages(self) -> tuple[Stage, ...]:
        """One convolution, which reads some channels."""
        k = round(self.taps**0.5)
        return (Stage(self.W.T.reshape(-1, self.rank, k, k), 1, spatial=True, inputs=self.kept),)

    def balanced(self) -> "Pruned":
        """The same form: there is one factor only."""
        return self


def fit(gram: Gram, *, channels: int, start: tuple[int, ...] | None = None) -> Pruned:
    """The convolution of ``channels`` input channels.

    Parameters
    ----------
    start
        The channels, if they are chosen already; their weights are solved for.
    """
    kept = _eliminated(gram, channels) if start is None else start
    rows = np.concatenate([np.arange(gram.taps) + gram.taps * i for i in kept])
    W = scaled_solve(gram.G[np.ix_(rows, rows)], gram.T[rows], ridge=RIDGE)
    return Pruned(W, kept, gram.channels)


def _eliminated(gram: Gram, channels: int) -> tuple[int, ...]:
    """The channels that remain of all. O((C K K)^3) together."""
    taps, alive = gram.taps, np.arange(gram.channels)
    inverse = np.linalg.inv(gram.G + (RIDGE * np.trace(gram.G) / len(gram.G) + 1e-30) * np.eye(len(gram.G)))
    W = inverse @ gram.T
    while len(alive) > channels:
        blocks = np.stack([inverse[i * taps : (i + 1) * taps, i * taps : (i + 1) * taps] for i in range(len(alive))])
        parts = W.reshape(len(alive), taps, -1)
        losses = np.sum(parts * np.linalg.solve(blocks, parts), axis=(1, 2))
        count = min(max(len(alive) // STEP, 1), len(alive) - channels)
        out = np.isin(np.arange(len(alive)), np.argsort(losses, kind="stable")[:count])
        gone, left = np.flatnonzero(np.repeat(out, taps)), np.flatnonzero(np.repeat(~out, taps))
        gain = np.linalg.solve(inverse[np.ix_(gone, gone)], np.hstack([inverse[np.ix_(gone, left)], W[gone]]))
        change = inverse[np.ix_(left, gone)] @ gain
        inverse, W = inverse[np.ix_(left, left)] - change[:, : len(left)], W[left] - change[:, len(left) :]
        alive = alive[~out]
    return tuple(int(i) for i in alive)
