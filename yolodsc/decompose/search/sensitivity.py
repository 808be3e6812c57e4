"""Sensitivity of the network's output to each form of each layer, and the plan derived from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.factor.forms import Form
from yolodsc.decompose.factor.gram import Gram
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.allocate import AllocationOption, allocate
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.surgery import Chain, assemble, joined
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.network import Network

FittedForms = Mapping[tuple[int, FactorizationChoice], list[Form]]


@dataclass(slots=True, eq=False)
class SensitivityProbe:
    """The original's outputs on a few images, and every candidate form of every layer."""

    network: Network
    images: Array
    threads: int
    chains: dict[tuple[int, FactorizationChoice], Chain] = field(default_factory=dict)
    forms: dict[tuple[int, FactorizationChoice], list[Form]] = field(default_factory=dict)
    reference: list[Array] = field(default_factory=list)
    _losses: dict[frozenset[tuple[int, FactorizationChoice]], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reference = samples.outputs_of(self.network, self.images, threads=self.threads)

    def add(self, target: DecompositionTarget, gram: Gram, offered: Sequence[FactorizationChoice], *, seed: int) -> None:
        """Fit every offered form of one layer on the original's moments; each ``pdp`` fit starts from the previous, smaller one."""
        grams, start = choices.split(gram, target.layer.groups), None
        for choice in offered:
            if choice == KEEP:
                continue
            forms = choices.fit(target, grams, choice, seed=seed, iterations=25, start=start)
            start = forms if choice.method == "pdp" else start
            self.forms[target.index, choice] = forms
            self.chains[target.index, choice] = joined(forms, gram.bias(choices.dense(forms)))

    def loss(self, selected: Mapping[int, FactorizationChoice]) -> float:
        """Squared output error with all these forms at once."""
        key = frozenset((i, choice) for i, choice in selected.items() if choice != KEEP)
        if key not in self._losses:
            self._losses[key] = self._measured({i: self.chains[i, choice] for i, choice in key})
        return self._losses[key]

    def _measured(self, chains: Mapping[int, Chain]) -> float:
        if not chains:
            return 0.0
        outputs = samples.outputs_of(assemble(self.network, chains), self.images, threads=self.threads)
        return samples.output_error(self.reference, outputs) ** 2


def plan(
    probe: SensitivityProbe, costs: Mapping[int, Mapping[FactorizationChoice, float]], *, budget: float, rounds: int = 2
) -> dict[int, FactorizationChoice]:
    """Choices within the budget: first from the loss of each layer alone, then from differences within the plan.

    The losses of single layers overestimate their sum (.68 where .40 is measured). With a plan, the neighbouring forms of every
    layer are therefore measured within it, and a new plan is made from these differences, at most ``rounds`` times, as long as the
    loss decreases.
    """
    layers = {i: [AllocationOption(c, cost, probe.loss({i: c})) for c, cost in options.items()] for i, options in costs.items()}
    best = allocate(layers, budget=budget)
    best_loss = probe.loss(best)
    for _ in range(rounds):
        nearby = {i: _neighbours(probe, best, best_loss, i, options) for i, options in costs.items()}
        found = allocate(nearby, budget=budget)
        loss = probe.loss(found)
        if loss >= best_loss:
            break
        best, best_loss = found, loss
    return best


def _neighbours(
    probe: SensitivityProbe,
    selected: Mapping[int, FactorizationChoice],
    loss: float,
    index: int,
    options: Mapping[FactorizationChoice, float],
) -> list[AllocationOption]:
    """The two next cheaper and the two next costlier forms, with their contributions to the loss of the network."""
    ordered = sorted(options, key=lambda choice: options[choice])
    at = ordered.index(selected[index])
    near = ordered[max(at - 2, 0) : at + 3]
    return [
        AllocationOption(c, options[c], 0.0 if c == selected[index] else probe.loss({**selected, index: c}) - loss) for c in near
    ]
