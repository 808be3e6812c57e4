"""``[normalization]``, ``[lrn]``: local response normalisation across channels (``normalization_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class NormalizationLayer(Layer, kw_only=True):
    """x * norm^-beta, norm being kappa + alpha times the squares of nearby channels.

    Darknet's running window is reproduced: it starts without channel ``size // 2``, but subtracts it later.
    """

    type: ClassVar[str] = "normalization"

    size: int
    alpha: float
    beta: float
    kappa: float

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_normalization``."""
        return cls(
            **preceding.fields(section, preceding.input),
            size=section.integer("size", 5, minimum=1),
            alpha=section.number("alpha", 1e-4),
            beta=section.number("beta", 0.75),
            kappa=section.number("kappa", 1.0),
        )

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_normalization_layer``."""
        (x,) = inputs
        squares = np.float32(self.alpha) * x * x
        norm = np.empty_like(x)
        norm[0] = np.float32(self.kappa) + squares[: self.size // 2].sum(axis=0)
        for k in range(1, len(x)):
            leaving, entering = k - (self.size - 1) // 2 - 1, k + self.size // 2
            norm[k] = norm[k - 1]
            if leaving >= 0:
                norm[k] -= squares[leaving]
            if entering < len(x):
                norm[k] += squares[entering]
        with np.errstate(invalid="ignore", divide="ignore"):
            return x * norm ** np.float32(-self.beta)
