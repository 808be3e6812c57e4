"""Which form each convolution takes: the requested one, or the best plan within the budget."""

import math
from collections.abc import Iterable, Mapping, Sequence

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.calibration.samples import OriginalSamples
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.search.sensitivity import FittedForms, SensitivityProbe, plan
from yolodsc.decompose.search.time_model import FormCosts, Timer
from yolodsc.decompose.settings import DecomposeSettings, ProgressCallback
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network import Network

SENSITIVITY_IMAGES = 24
"""Images on which the sensitivity of the network to each form is measured."""

WORTHWHILE = 0.97
"""Share of the time of a layer below which a form is fitted where the budget is a time."""


def select(
    network: Network,
    targets: Mapping[int, DecompositionTarget],
    originals: Mapping[int, OriginalSamples],
    images: Array,
    settings: DecomposeSettings,
    pool: FitThreadPool,
    report: ProgressCallback,
) -> tuple[dict[int, FactorizationChoice], FittedForms]:
    """The form of each target, and the fits that the selection made.

    All targets get the requested method, or with ``auto`` the plan within the budget.
    """
    if settings.method != "auto":
        return {i: _uniform(t, settings) for i, t in targets.items()}, {}
    if settings.budget_ms:
        timed = timed_options(network, targets, [settings.precision], threads=settings.threads)
        costs, budget = timed[settings.precision], settings.budget_ms
    else:
        costs, budget = multiplications(network, targets), settings.budget * network.multiply_adds
    _check_budget(budget, costs.minimum, network.multiply_adds, settings)
    probe = fit_options(network, targets, costs.layers, originals, images, settings, pool, report)
    report("allocating the budget", 0.35)
    return plan(probe, costs.layers, budget=budget - costs.rest), probe.forms


def fit_options(
    network: Network,
    targets: Mapping[int, DecompositionTarget],
    offered: Mapping[int, Iterable[FactorizationChoice]],
    originals: Mapping[int, OriginalSamples],
    images: Array,
    settings: DecomposeSettings,
    pool: FitThreadPool,
    report: ProgressCallback,
) -> SensitivityProbe:
    """Fit every offered form of every target."""
    part = images[:: max(1, len(images) // SENSITIVITY_IMAGES)][:SENSITIVITY_IMAGES]
    probe = SensitivityProbe(network, part, settings.threads)
    rows = settings.calibration_count(len(images))

    def fitted(i: int) -> None:
        positions = originals[i].positions
        X = samples.inputs(network, targets[i], targets[i].layer.sources[0], positions, images[:rows], threads=1)
        gram = samples.gram(targets[i], X, originals[i].Y[: len(X)])
        probe.add(targets[i], gram, list(offered[i]), seed=settings.seed)

    largest_first = sorted(targets, key=lambda i: -math.prod(targets[i].layer.kernel_shape()[1:]))  # their fits take longest
    for step, (i, _) in enumerate(zip(largest_first, pool.map(fitted, largest_first), strict=True)):
        report(f"layer {i}: every form", 0.05 + 0.3 * step / len(targets))
    return probe


def multiplications(network: Network, targets: Mapping[int, DecompositionTarget]) -> FormCosts:
    """Multiplications of every option of every target, and of the rest of the network."""
    layers = {i: {c: float(choices.multiply_adds(t, c)) for c in choices.options(t)} for i, t in targets.items()}
    return FormCosts(layers, network.multiply_adds - sum(options[KEEP] for options in layers.values()))


def timed_options(
    network: Network, targets: Mapping[int, DecompositionTarget], precisions: Sequence[str], *, threads: int
) -> dict[str, FormCosts]:
    """Milliseconds by precision of every option that is faster than its layer in one of the precisions."""
    offered = {i: choices.timed_options(target) for i, target in targets.items()}
    timed = {precision: Timer(threads, precision).costs(network, targets, offered) for precision in precisions}

    def pays(i: int, choice: FactorizationChoice) -> bool:
        return choice == KEEP or any(c.layers[i][choice] < WORTHWHILE * c.layers[i][KEEP] for c in timed.values())

    useful = {i: [choice for choice in found if pays(i, choice)] for i, found in offered.items()}
    return {
        precision: FormCosts({i: {c: found.layers[i][c] for c in useful[i]} for i in useful}, found.rest)
        for precision, found in timed.items()
    }


def _check_budget(budget: float, minimum: float, whole: float, settings: DecomposeSettings) -> None:
    """Raise a `DecompositionError`, in the unit of the budget, if the cheapest forms exceed the budget."""
    if minimum <= budget:
        return
    if settings.budget_ms:
        raise DecompositionError(f"budget of {budget:.3g} ms: the network with the cheapest forms takes {minimum:.3g} ms")
    raise DecompositionError(
        f"budget of {budget / whole:.3g}: the network with the cheapest forms takes {minimum / whole:.3g} of its cost"
    )


def _uniform(target: DecompositionTarget, settings: DecomposeSettings) -> FactorizationChoice:
    """The requested method where it is cheaper than the layer, else `KEEP`."""
    choice = choices.equal_cost(target, settings.method, settings.rank)  # type: ignore[arg-type]
    cheaper = choices.multiply_adds(target, choice) < target.layer.multiply_adds()
    return choice if cheaper else KEEP
