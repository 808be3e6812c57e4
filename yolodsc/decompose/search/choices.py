"""The forms that one convolution may take, their cost, and the fit of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from yolodsc.decompose.factor import als, bs, paper, pdp, pruned, tucker
from yolodsc.decompose.factor.dense_forms import Squeezed, Tucker
from yolodsc.decompose.factor.forms import Form, Pdp
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.pruned import Pruned
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.errors import DecompositionError

Method = Literal[
    "keep",
    "paper-plain",
    "paper-compensated",
    "paper-multilayer",
    "weights",
    "channel",
    "als",
    "bs",
    "pdp",
    "squeeze",
    "tucker",
    "prune",
]

METHODS: tuple[Method, ...] = (
    "paper-plain",
    "paper-compensated",
    "paper-multilayer",
    "weights",
    "als",
    "pdp",
    "bs",
    "channel",
    "squeeze",
    "tucker",
)
"""Methods that every layer may be asked for; ``prune`` changes the layer before too, so only a plan within a time has it."""
PAPER: frozenset[Method] = frozenset({"paper-plain", "paper-compensated", "paper-multilayer", "weights"})


@dataclass(frozen=True, slots=True)
class FactorizationChoice:
    """One form for one layer: the method, and its filters per channel or components, for each group of the convolution.

    ``outer`` is the second rank of ``tucker``: the filters of its k x k convolution.
    """

    method: Method
    rank: int = 1
    outer: int = 0

    def __str__(self) -> str:
        if self.method in ("keep", "bs"):
            return self.method
        return f"{self.method} {self.rank}" + (f"x{self.outer}" if self.outer else "")


KEEP = FactorizationChoice("keep")

PRUNED_SHARES = (0.5, 0.625, 0.75, 0.875)
"""Shares of the input channels that pruning may leave."""

LANES = 16
"""Channels of a block in the engine: other ranks take the time of the next multiple."""


def multiply_adds(target: DecompositionTarget, choice: FactorizationChoice) -> int:  # noqa: PLR0911 one line a method
    """Multiply-adds of the layer in this form, for one image."""
    layer = target.layer
    taps, g = layer.size**2, layer.groups
    c, f = layer.inputs[0].channels // g, layer.filters // g
    before, after, r = target.before, target.after, choice.rank
    match choice.method:
        case "keep":
            return layer.multiply_adds()
        case "bs":
            return g * (c * f * before + f * taps * after)
        case "pdp":
            return g * r * (c * before + (taps + f) * after)
        case "channel":
            return g * r * (c * taps + f) * after
        case "squeeze":
            return g * r * (c * before + taps * f * after)
        case "prune":
            return r * taps * f * after
        case "tucker":
            return g * (c * r * before + choice.outer * (r * taps + f) * after)
        case _:
            return g * c * min(r, taps, f) * (taps + f) * after


def equal_cost(target: DecompositionTarget, method: Method, rank: float) -> FactorizationChoice:
    """The form that costs no more than ``rank`` times a depthwise and pointwise pair; als and the paper's take whole ranks."""
    if method not in ("pdp", "channel", "squeeze", "tucker"):
        return FactorizationChoice(method, max(1, round(rank)))
    allowed = multiply_adds(target, FactorizationChoice("als", 1)) * rank
    if method == "tucker":
        shares = (tucker_of_share(target, 1 / n) for n in np.linspace(1, 32, 200))
        return next((c for c in shares if multiply_adds(target, c) <= allowed), tucker_of_share(target, 0.0))
    return FactorizationChoice(method, max(1, int(allowed // multiply_adds(target, FactorizationChoice(method, 1)))))


def tucker_of_share(target: DecompositionTarget, share: float, *, multiple: int = 1) -> FactorizationChoice:
    """Tucker-2 with a share of the channels and filters, in multiples; ``channel`` or ``squeeze`` if one of them is all."""
    g = target.layer.groups
    c, f = target.layer.inputs[0].channels // g, target.layer.filters // g
    inner, outer = (max(round(count * share / multiple), 1) * multiple for count in (c, f))
    if inner >= c:
        return FactorizationChoice("channel", min(outer, f))
    return FactorizationChoice("squeeze", inner) if outer >= f else FactorizationChoice("tucker", inner, outer)


def timed_options(target: DecompositionTarget) -> list[FactorizationChoice]:
    """Candidates where a time is the budget: forms with regular convolutions too, and ranks that fill the vectors of the engine."""
    c = target.layer.inputs[0].channels // target.layer.groups
    f = target.layer.filters // target.layer.groups
    found = [choice for choice in options(target) if choice.method in ("bs", "als")]
    ranks = (equal_cost(target, "pdp", rank).rank for rank in (0.5, 1, 1.5, 2, 3, 4))
    found += [FactorizationChoice("pdp", max(round(rank / LANES), 1) * LANES) for rank in ranks]
    if c > 3:
        found += [tucker_of_share(target, share, multiple=LANES) for share in (0.25, 0.375, 0.5, 0.625, 0.75)]
        found += [FactorizationChoice("squeeze", max(round(c * s / LANES), 1) * LANES) for s in (0.5, 0.75)]
        found += [FactorizationChoice("channel", max(round(f * s / LANES), 1) * LANES) for s in (0.5, 0.75)]
    if target.producer is not None:
        found += [FactorizationChoice("prune", max(round(c * s / LANES), 1) * LANES) for s in PRUNED_SHARES]
    limit = 0.9 * target.layer.multiply_adds()
    return [KEEP] + [choice for choice in dict.fromkeys(found) if multiply_adds(target, choice) < limit]


def options(target: DecompositionTarget) -> list[FactorizationChoice]:
    """Candidates of ``auto``: the layer itself, and every cheaper form."""
    c, taps = target.layer.inputs[0].channels // target.layer.groups, target.layer.size**2
    found = [FactorizationChoice("bs")]
    found += [FactorizationChoice("als", r) for r in (1, 2) if c * r * taps <= 1200 and c > 3]
    steps = [equal_cost(target, "pdp", rank) for rank in (0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4)]
    found += [choice for choice in dict.fromkeys(steps) if choice.rank > 1]
    limit = 0.9 * target.layer.multiply_adds()
    return [KEEP] + [choice for choice in found if multiply_adds(target, choice) < limit]


def fit(
    target: DecompositionTarget,
    grams: Sequence[Gram],
    choice: FactorizationChoice,
    *,
    crosses: Sequence[Matrix] | None = None,
    seed: int = 0,
    iterations: int = 60,
    start: Sequence[Form] | None = None,
) -> list[Form]:
    """One form for each group of the convolution.

    Parameters
    ----------
    grams
        Moments for each group.
    crosses
        Cross moments with the patches of the original network, for ``paper-multilayer``.
    start
        Initial forms: of ``pdp`` with as many components or fewer, of ``tucker`` and ``squeeze`` with the same ranks.
    """
    out: list[Form] = []
    for group, (W, gram) in enumerate(zip(target.matrices(), grams, strict=True)):
        cross = None if crosses is None else crosses[group]
        first = None if start is None else start[group]
        out.append(_fit(W, gram, choice, cross=cross, seed=seed + group, iterations=iterations, start=first))
    return out


def _fit(  # noqa: PLR0911 one line a method
    W: Matrix, gram: Gram, choice: FactorizationChoice, *, cross: Matrix | None, seed: int, iterations: int, start: Form | None
) -> Form:
    rank = choice.rank
    match choice.method:
        case "weights":
            return paper.weight_svd(W, channels=gram.channels, rank=rank)
        case "paper-plain":
            return paper.plain(W, gram, rank=rank)
        case "paper-compensated":
            return paper.compensated(W, gram, rank=rank)
        case "paper-multilayer":
            return paper.multilayer(W, gram, gram.G if cross is None else cross, rank=rank)
        case "channel":
            return paper.channel(gram, filters=min(rank, gram.filters))
        case "als":
            return als.fit(W, gram, rank=rank, iterations=30 if rank == 1 else 10)
        case "bs":
            return bs.fit(W, gram)
        case "pdp":
            begin = start if isinstance(start, Pdp) else None
            return pdp.fit(gram, components=rank, iterations=iterations, seed=seed, start=begin)
        case "squeeze" | "tucker":
            first = start.A if isinstance(start, Squeezed | Tucker) else None
            outer = choice.outer or gram.filters
            return tucker.fit(gram, inner=rank, outer=outer, iterations=iterations // 2, start=first)
        case "prune":
            return pruned.fit(gram, channels=rank, start=start.kept if isinstance(start, Pruned) else None)
    raise DecompositionError(f"method {choice.method} fits nothing; expected one of {', '.join(METHODS)}")


def split(gram: Gram, groups: int) -> list[Gram]:
    """Moments of each group of a grouped convolution, over the channels and filters of the group."""
    if groups == 1:
        return [gram]
    rows, columns = len(gram.G) // groups, gram.filters // groups
    out = []
    for g in range(groups):
        r, f = slice(g * rows, (g + 1) * rows), slice(g * columns, (g + 1) * columns)
        part = Gram(
            gram.G[r, r],
            gram.T[r, f],
            gram.yy / groups,
            gram.mean_x[r],
            gram.mean_y[f],
            gram.channels // groups,
            gram.taps,
            gram.samples,
        )
        out.append(part)
    return out


def dense(forms: Sequence[Form]) -> Matrix:
    """Dense weights of all groups as one matrix with zeros between groups: (C K K, F)."""
    parts = [form.dense() for form in forms]
    if len(parts) == 1:
        return parts[0]
    rows, columns = parts[0].shape
    out = np.zeros((rows * len(parts), columns * len(parts)))
    for g, part in enumerate(parts):
        out[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] = part
    return out
