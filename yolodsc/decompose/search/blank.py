"""Forms and chains without values: their shapes suffice to measure what they cost."""

import numpy as np

from yolodsc.decompose.factor.dense_forms import Narrow, Squeezed, Tucker
from yolodsc.decompose.factor.forms import DepthwisePointwise, Form, Pdp, PointwiseDepthwise
from yolodsc.decompose.factor.pruned import Pruned
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.surgery import Chain, joined, regular
from yolodsc.decompose.target import DecompositionTarget


def blank_chain(target: DecompositionTarget, choice: FactorizationChoice) -> Chain:
    """The convolutions of a choice, all weights being zero; those of `KEEP` are the layer's own."""
    if choice == KEEP:
        return regular(target)
    return joined([_blank_form(target, choice)] * target.layer.groups, np.zeros(target.layer.filters))


def _blank_form(target: DecompositionTarget, choice: FactorizationChoice) -> Form:  # noqa: PLR0911 one line a form
    layer, rank = target.layer, choice.rank
    c, f, taps = layer.inputs[0].channels // layer.groups, layer.filters // layer.groups, layer.size**2
    match choice.method:
        case "bs":
            return PointwiseDepthwise(np.zeros((c, f)), np.zeros((f, taps)))
        case "pdp":
            return Pdp(np.zeros((c, rank)), np.zeros((rank, taps)), np.zeros((rank, f)))
        case "channel":
            rank = min(rank, f)
            return Narrow(np.zeros((c * taps, rank)), np.zeros((rank, f)), c)
        case "squeeze":
            return Squeezed(np.zeros((c, rank)), np.zeros((rank * taps, f)))
        case "tucker":
            return Tucker(np.zeros((c, rank)), np.zeros((rank * taps, choice.outer)), np.zeros((choice.outer, f)))
        case "prune":
            return Pruned(np.zeros((rank * taps, f)), tuple(range(rank)), c)
        case _:
            rank = min(rank, taps, f)
            return DepthwisePointwise(np.zeros((c, rank, taps)), np.zeros((c, rank, f)))
