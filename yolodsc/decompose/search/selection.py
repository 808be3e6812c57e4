"""Which form each convolution takes: the requested one, or the best plan within the budget."""

from collections.abc import Mapping

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.calibration.samples import OriginalSamples
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.choices import KEEP, FactorizationChoice
from yolodsc.decompose.search.sensitivity import FittedForms, SensitivityProbe, plan
from yolodsc.decompose.search.time_model import Timer
from yolodsc.decompose.settings import DecomposeSettings, ProgressCallback
from yolodsc.decompose.surgery import regular
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network import Network

SENSITIVITY_IMAGES = 24
"""Images on which the sensitivity of the network to each form is measured."""


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
    part = images[:: max(1, len(images) // SENSITIVITY_IMAGES)][:SENSITIVITY_IMAGES]
    probe = SensitivityProbe(network, part, settings.threads)
    rows = settings.calibration_count(len(images))
    timer = Timer(settings.threads) if settings.budget_ms else None

    def offered(i: int) -> list[FactorizationChoice]:
        positions = originals[i].positions
        X = samples.inputs(network, targets[i], targets[i].layer.sources[0], positions, images[:rows], threads=1)
        return probe.add(targets[i], samples.gram(targets[i], X, originals[i].Y[: len(X)]), seed=settings.seed)

    costs: dict[int, dict[FactorizationChoice, float]] = {}
    for step, (i, forms) in enumerate(zip(targets, pool.map(offered, targets), strict=True)):
        report(f"layer {i}: every form", 0.05 + 0.3 * step / len(targets))
        costs[i] = {c: float(choices.multiply_adds(targets[i], c)) for c in forms}
    if timer:
        costs = {i: {c: timer.chain(t, probe.chains.get((i, c)) or regular(t)) for c in costs[i]} for i, t in targets.items()}
    kept = {i: options[KEEP] for i, options in costs.items()}
    whole, budget = _total(network), settings.budget * _total(network)
    if timer and settings.budget_ms:
        whole, budget = timer.network(network), settings.budget_ms
    rest = whole - sum(kept.values())
    _check_budget(budget, rest + sum(min(options.values()) for options in costs.values()), whole, settings)
    report("allocating the budget", 0.35)
    return plan(probe, costs, budget=budget - rest), probe.forms


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


def _total(network: Network) -> float:
    return float(sum(layer.multiply_adds() for layer in network.layers))
