"""Allocation of a budget to layers: one form for each layer with the minimum sum of squared output errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yolodsc.decompose.search.choices import FactorizationChoice
from yolodsc.errors import DecompositionError


@dataclass(frozen=True, slots=True)
class AllocationOption:
    """One form of one layer: its cost (multiplications or milliseconds) and its contribution to the squared output error."""

    choice: FactorizationChoice
    cost: float
    loss: float


def allocate(layers: Mapping[int, list[AllocationOption]], *, budget: float) -> dict[int, FactorizationChoice]:
    """Minimize the sum of losses within ``budget`` by a Lagrangian sweep, improved by single exchanges.

    For each of 400 prices per unit of cost, every layer selects its best option independently: O(layers options) per price. The
    rest of the budget is then spent on exchanges of single layers, the one with the largest gain first.

    Raises
    ------
    DecompositionError
        The cheapest forms exceed the budget.
    """
    minimum = sum(min(o.cost for o in options) for options in layers.values())
    if minimum > budget:
        raise DecompositionError(f"budget of {budget:.4g} for the convolutions; the cheapest forms take {minimum:.4g}")
    best: dict[int, AllocationOption] = {i: min(options, key=lambda o: o.cost) for i, options in layers.items()}
    for price in np.logspace(-8, 6, 400) / budget:
        selected = {i: min(options, key=lambda o: o.loss + price * o.cost) for i, options in layers.items()}
        if _cost(selected) <= budget and _loss(selected) < _loss(best):
            best = selected
    return {i: option.choice for i, option in _exchanged(layers, best, budget).items()}


def _exchanged(
    layers: Mapping[int, list[AllocationOption]], best: dict[int, AllocationOption], budget: float
) -> dict[int, AllocationOption]:
    """Single exchanges as long as one of them lowers the loss within the budget."""
    while True:
        trials = [best | {i: o} for i, options in layers.items() for o in options if o is not best[i]]
        allowed = [trial for trial in trials if _cost(trial) <= budget]
        candidate = min(allowed, key=_loss, default=best)
        if _loss(candidate) >= _loss(best):
            return best
        best = candidate


def _cost(selected: Mapping[int, AllocationOption]) -> float:
    return sum(option.cost for option in selected.values())


def _loss(selected: Mapping[int, AllocationOption]) -> float:
    return sum(option.loss for option in selected.values())
