"""Which form for which layer: least sum of squared output errors within a budget."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yolodsc.decompose.search.choices import FactorizationChoice
from yolodsc.errors import DecompositionError


@dataclass(frozen=True, slots=True)
class AllocationOption:
    """One form of one layer: its cost (multiplications, or milliseconds) and what it adds to the squared output error."""

    choice: FactorizationChoice
    cost: float
    loss: float


def allocate(layers: Mapping[int, list[AllocationOption]], *, budget: float) -> dict[int, FactorizationChoice]:
    """The least sum of losses that a Lagrangian sweep finds within ``budget``, improved by single exchanges.

    For each price of a unit of cost every layer takes its best option on its own: O(layers options) a price, 400 prices. What is
    left of the budget then goes to single layers, the exchange with the greatest gain first.

    Raises
    ------
    DecompositionError
        Not even the cheapest forms fit the budget.
    """
    least = sum(min(o.cost for o in options) for options in layers.values())
    if least > budget:
        raise DecompositionError(f"budget of {budget:.4g} for the convolutions; the cheapest forms take {least:.4g}")
    best: dict[int, AllocationOption] = {i: min(options, key=lambda o: o.cost) for i, options in layers.items()}
    for price in np.logspace(-8, 6, 400) / budget:
        selected = {i: min(options, key=lambda o: o.loss + price * o.cost) for i, options in layers.items()}
        if _cost(selected) <= budget and _loss(selected) < _loss(best):
            best = selected
    return {i: option.choice for i, option in _exchanged(layers, best, budget).items()}


def _exchanged(
    layers: Mapping[int, list[AllocationOption]], best: dict[int, AllocationOption], budget: float
) -> dict[int, AllocationOption]:
    """Single exchanges while one lowers the loss within the budget."""
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
