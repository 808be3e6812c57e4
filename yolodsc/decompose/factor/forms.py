"""The chains that can replace a k x k convolution, each with its dense equivalent, cost and convolutions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from yolodsc.decompose.factor.dense_forms import Narrow, Squeezed, Tucker
from yolodsc.decompose.factor.gram import Matrix
from yolodsc.decompose.factor.pruned import Pruned
from yolodsc.decompose.factor.stage import Stage


@dataclass(frozen=True, slots=True, eq=False)
class DepthwisePointwise:
    """R filters a channel, then a pointwise layer: what the paper calls depthwise separable.

    ``D`` (C, R, K K), ``P`` (C, R, F).
    """

    name: ClassVar[str] = "dw-pw"
    D: Matrix
    P: Matrix

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.D, self.P

    @property
    def rank(self) -> int:
        """The depth multiplier R."""
        return int(self.D.shape[1])

    def dense(self) -> Matrix:
        """(C K K, F)."""
        c, _, taps = self.D.shape
        product: Matrix = np.matmul(self.D.transpose(0, 2, 1), self.P)
        return product.reshape(c * taps, -1)

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        c, _, taps = self.D.shape
        g = dense.reshape(c, taps, -1)  # (C, K K, F)
        return self.P @ g.transpose(0, 2, 1), self.D @ g

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        del before
        return (self.D.size + self.P.size) * after

    def stages(self) -> tuple[Stage, ...]:
        """Filter order is channel-major: channel i's filters are i R to i R + R - 1."""
        c, r, taps = self.D.shape
        k = round(taps**0.5)
        return (
            Stage(self.D.reshape(c * r, 1, k, k), c, spatial=True),
            Stage(self.P.reshape(c * r, -1).T[:, :, None, None], 1, spatial=False),
        )

    def balanced(self) -> "DepthwisePointwise":
        """The same product with factors of equal norm."""
        d, p = np.linalg.norm(self.D, axis=2, keepdims=True), np.linalg.norm(self.P, axis=2, keepdims=True)
        ratio = np.sqrt((p + 1e-30) / (d + 1e-30))
        return DepthwisePointwise(self.D * ratio, self.P / ratio)


@dataclass(frozen=True, slots=True, eq=False)
class PointwiseDepthwise:
    """A pointwise layer, then one filter for each output: ``P`` (C, F), ``S`` (F, K K)."""

    name: ClassVar[str] = "pw-dw"
    P: Matrix
    S: Matrix

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.P, self.S

    @property
    def rank(self) -> int:
        """Always 1."""
        return 1

    def dense(self) -> Matrix:
        """(C K K, F)."""
        return (self.P[:, None, :] * self.S.T[None]).reshape(-1, self.P.shape[1])

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        g = dense.reshape(len(self.P), -1, self.P.shape[1])  # (C, K K, F)
        return np.einsum("ckf,fk->cf", g, self.S), np.einsum("ckf,cf->fk", g, self.P)

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        return self.P.size * before + self.S.size * after

    def stages(self) -> tuple[Stage, ...]:
        """Pointwise, depthwise."""
        k = round(self.S.shape[1] ** 0.5)
        return (
            Stage(self.P.T[:, :, None, None], 1, spatial=False),
            Stage(self.S.reshape(-1, 1, k, k), len(self.S), spatial=True),
        )

    def balanced(self) -> "PointwiseDepthwise":
        """The same product with factors of equal norm."""
        ratio = np.sqrt((np.linalg.norm(self.S, axis=1) + 1e-30) / (np.linalg.norm(self.P, axis=0) + 1e-30))
        return PointwiseDepthwise(self.P * ratio, self.S / ratio[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Pdp:
    """Pointwise to M channels, one filter each, pointwise to F: ``A`` (C, M), ``S`` (M, K K), ``B`` (M, F).

    The weights are the sum of M rank-one tensors: a CP decomposition, measured in the metric of the data. With A restricted to
    copies of channels it would be a depthwise layer with a different number of filters for each channel, so this form has
    fractional multipliers too.
    """

    name: ClassVar[str] = "pw-dw-pw"
    A: Matrix
    S: Matrix
    B: Matrix

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The free parameters."""
        return self.A, self.S, self.B

    @property
    def rank(self) -> int:
        """M."""
        return len(self.S)

    def dense(self) -> Matrix:
        """(C K K, F)."""
        return self.atoms() @ self.B

    def atoms(self) -> Matrix:
        """The dense weights of the first two factors: (C K K, M)."""
        return (self.A[:, None, :] * self.S.T[None]).reshape(-1, len(self.S))

    def gradient(self, dense: Matrix) -> tuple[Matrix, ...]:
        """Gradient with respect to the factors, from the gradient with respect to the dense weights."""
        inner = (dense @ self.B.T).reshape(len(self.A), -1, len(self.S))  # (C, K K, M)
        dA, dS = np.einsum("ckm,mk->cm", inner, self.S), np.einsum("ckm,cm->mk", inner, self.A)
        return dA, dS, self.atoms().T @ dense

    def multiply_adds(self, *, before: int, after: int) -> int:
        """For ``before`` input and ``after`` output pixels."""
        return self.A.size * before + (self.S.size + self.B.size) * after

    def stages(self) -> tuple[Stage, ...]:
        """Pointwise, depthwise, pointwise."""
        k = round(self.S.shape[1] ** 0.5)
        return (
            Stage(self.A.T[:, :, None, None], 1, spatial=False),
            Stage(self.S.reshape(-1, 1, k, k), len(self.S), spatial=True),
            Stage(self.B.T[:, :, None, None], 1, spatial=False),
        )

    def balanced(self) -> "Pdp":
        """The same product with factors of equal norm in every component."""
        a, s, b = np.linalg.norm(self.A, axis=0), np.linalg.norm(self.S, axis=1), np.linalg.norm(self.B, axis=1)
        mean = np.cbrt(a * s * b)
        return Pdp(
            self.A * (mean / (a + 1e-30)),
            self.S * (mean / (s + 1e-30))[:, None],
            self.B * (mean / (b + 1e-30))[:, None],
        )


Form = DepthwisePointwise | PointwiseDepthwise | Pdp | Narrow | Squeezed | Tucker | Pruned


def with_factors(form: Form, factors: tuple[Matrix, ...]) -> Form:
    """A chain of the same kind with other factors."""
    match form:
        case DepthwisePointwise():
            return DepthwisePointwise(*factors)
        case PointwiseDepthwise():
            return PointwiseDepthwise(*factors)
        case Pdp():
            return Pdp(*factors)
        case Narrow():
            W1, W2 = factors
            return Narrow(W1, W2, form.channels)
        case Pruned():
            return Pruned(factors[0], form.kept, form.channels)
        case Squeezed() | Tucker():
            return type(form)(*factors)
