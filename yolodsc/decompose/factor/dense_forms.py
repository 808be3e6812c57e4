"""Chains whose k x k convolution is a regular one: fewer filters, fewer channels, or both."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from yolodsc.decompose.factor.gram import Matrix
from yolodsc.decompose.factor.stage import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Narrow:
    """Channel decomposition: a regular convolution with fewer filters ``W1`` (C K K, M), then pointwise ``W2`` (M, F)."""

    name: ClassVar[str] = "narrow"
    W1: Matrix
    W2: Matrix
    channels: int

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.W1, self.W2

    @property
    def rank(self) -> int:
        """M."""
        return len(self.W2)

    def dense(self) -> Matrix:
        """(C K K, F)."""
        return self.W1 @ self.W2

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        return dense @ self.W2.T, self.W1.T @ dense

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        del before
        return (self.W1.size + self.W2.size) * after

    def stages(self) -> tuple[Stage, ...]:
        """Regular, pointwise."""
        k = round((len(self.W1) / self.channels) ** 0.5)
        first = self.W1.T.reshape(-1, self.channels, k, k)
        return Stage(first, 1, spatial=True), Stage(self.W2.T[:, :, None, None], 1, spatial=False)

    def balanced(self) -> "Narrow":
        """The same product with factors of equal norm."""
        one, two = np.linalg.norm(self.W1, axis=0), np.linalg.norm(self.W2, axis=1)
        ratio = np.sqrt((two + 1e-30) / (one + 1e-30))
        return Narrow(self.W1 * ratio, self.W2 / ratio[:, None], self.channels)


@dataclass(frozen=True, slots=True, eq=False)
class Squeezed:
    """Pointwise to fewer channels ``A`` (C, R), then a regular convolution ``K`` (R K K, F)."""

    name: ClassVar[str] = "squeezed"
    A: Matrix
    K: Matrix

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.A, self.K

    @property
    def rank(self) -> int:
        """R."""
        return int(self.A.shape[1])

    def dense(self) -> Matrix:
        """(C K K, F)."""
        inside = self.K.reshape(self.rank, -1, self.K.shape[1])
        return np.tensordot(self.A, inside, axes=(1, 0)).reshape(-1, self.K.shape[1])

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        g = dense.reshape(len(self.A), -1, self.K.shape[1])  # (C, K K, F)
        inside = self.K.reshape(self.rank, -1, self.K.shape[1])
        dK = np.tensordot(self.A, g, axes=(0, 0)).reshape(self.K.shape)
        return np.einsum("ckf,akf->ca", g, inside, optimize=True), dK

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        return self.A.size * before + self.K.size * after

    def stages(self) -> tuple[Stage, ...]:
        """Pointwise, regular."""
        k = round((len(self.K) / self.rank) ** 0.5)
        core = self.K.T.reshape(-1, self.rank, k, k)
        return Stage(self.A.T[:, :, None, None], 1, spatial=False), Stage(core, 1, spatial=True)

    def balanced(self) -> "Squeezed":
        """The same product with factors of equal norm for every inner channel."""
        taps = len(self.K) // self.rank
        inside = np.linalg.norm(self.K.reshape(self.rank, -1), axis=1)
        ratio = np.sqrt((inside + 1e-30) / (np.linalg.norm(self.A, axis=0) + 1e-30))
        return Squeezed(self.A * ratio, self.K / np.repeat(ratio, taps)[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Tucker:
    """Pointwise ``A`` (C, R), regular ``K`` (R K K, M), pointwise ``B`` (M, F): a Tucker-2 decomposition."""

    name: ClassVar[str] = "tucker"
    A: Matrix
    K: Matrix
    B: Matrix

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.A, self.K, self.B

    @property
    def rank(self) -> int:
        """R."""
        return int(self.A.shape[1])

    def dense(self) -> Matrix:
        """(C K K, F)."""
        return Squeezed(self.A, self.K @ self.B).dense()

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        dA, joint = Squeezed(self.A, self.K @ self.B).gradient(dense)
        return dA, joint @ self.B.T, self.K.T @ joint

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        return self.A.size * before + (self.K.size + self.B.size) * after

    def stages(self) -> tuple[Stage, ...]:
        """Pointwise, regular, pointwise."""
        return (*Squeezed(self.A, self.K).stages(), Stage(self.B.T[:, :, None, None], 1, spatial=False))

    def balanced(self) -> "Tucker":
        """The same product with factors of equal norm for every inner channel."""
        last = np.sqrt((np.linalg.norm(self.B, axis=1) + 1e-30) / (np.linalg.norm(self.K, axis=0) + 1e-30))
        first = Squeezed(self.A, self.K * last).balanced()
        return Tucker(first.A, first.K, self.B / last[:, None])
