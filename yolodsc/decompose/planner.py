"""Several decompositions of one network: samples, fits and times of its forms are shared by all of them."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from yolodsc.arrays import Array
from yolodsc.decompose.calibration import samples
from yolodsc.decompose.driver import ensure_decomposable
from yolodsc.decompose.replacement import LayerReplacement
from yolodsc.decompose.search import choices
from yolodsc.decompose.search.choices import KEEP
from yolodsc.decompose.search.selection import fit_options, timed_options
from yolodsc.decompose.search.sensitivity import SensitivityProbe, plan
from yolodsc.decompose.search.time_model import FormCosts
from yolodsc.decompose.settings import DecomposeSettings, Decomposition, ProgressCallback
from yolodsc.decompose.target import DecompositionTarget, candidates, convolutions, without
from yolodsc.decompose.thread_pool import FitThreadPool
from yolodsc.errors import DecompositionError
from yolodsc.network import Network


class DecompositionPlanner:
    """A context in which a network is decomposed for several budgets of time.

    Parameters
    ----------
    images : (N, C, H, W)
        As for `decompose`.
    settings
        As for `decompose`; method, budgets and precision are not used.
    precisions
        Those in which forms are timed.
    costs
        Times that an earlier planner of the same network has measured, by precision, instead of new ones.
    threads
        Threads with which forms are timed; those of the settings fit.

    Raises
    ------
    DecompositionError
        As `decompose`; or the times are not those of the network's forms.
    """

    def __init__(
        self,
        network: Network,
        images: Array,
        settings: DecomposeSettings,
        precisions: Sequence[str],
        *,
        costs: Mapping[str, FormCosts] | None = None,
        threads: int = 1,
    ) -> None:
        self.network, self.images, self.settings = network, images, settings
        self.targets = without(candidates(network), settings.keep)
        ensure_decomposable(network, self.targets, images, settings)
        if costs is not None and not self._fits(costs, precisions):
            raise DecompositionError("costs: of forms of another network; expected those of an earlier planner")
        self.costs: Mapping[str, FormCosts] = (
            timed_options(network, self.targets, precisions, threads=threads) if costs is None else costs
        )
        self._pool = FitThreadPool(settings.threads)
        self._all: Mapping[int, DecompositionTarget] = convolutions(network)
        self._originals: dict[int, samples.OriginalSamples] = {}
        self._probe: SensitivityProbe | None = None

    def minimum(self, precision: str) -> float:
        """Milliseconds of the network with the fastest form of every layer."""
        return self.costs[precision].minimum

    def whole(self, precision: str) -> float:
        """Milliseconds of the network as it is, by the same model."""
        return self.costs[precision].total(dict.fromkeys(self.targets, KEEP))

    def decomposed(self, precision: str, budget_ms: float, *, progress: ProgressCallback | None = None) -> Decomposition:
        """The best plan within a time in a precision, fitted; a `DecompositionError` if the cheapest forms exceed it."""
        begin, report = time.perf_counter(), progress or (lambda what, share: None)
        probe = self._fitted_options(report)
        costs = self.costs[precision]
        selected = plan(probe, costs.layers, budget=budget_ms - costs.rest)
        work = LayerReplacement(
            self.network, self.images, self.settings, self._pool, self._all, self._originals, selected, probe.forms
        )
        work.run(report)
        return work.decomposition(begin)

    def _fits(self, costs: Mapping[str, FormCosts], precisions: Sequence[str]) -> bool:
        """Whether costs are those of the options of the targets, the same forms in all precisions."""
        offered = {i: set(choices.timed_options(target)) for i, target in self.targets.items()}
        forms = [{i: list(options) for i, options in found.layers.items()} for found in costs.values()]
        return (
            set(precisions) <= set(costs)
            and all(found == forms[0] for found in forms)
            and all(set(forms[0].get(i, ())) <= options and KEEP in forms[0].get(i, ()) for i, options in offered.items())
            and set(forms[0]) == set(offered)
        )

    def _fitted_options(self, report: ProgressCallback) -> SensitivityProbe:
        """Fits of all forms, which are made once."""
        if self._probe is None:
            report("running the original network", 0.0)
            settings = self.settings
            self._originals = samples.of_original(
                self.network, self._all, self.images, count=settings.patches, seed=settings.seed, threads=settings.threads
            )
            offered = {i: list(next(iter(self.costs.values())).layers[i]) for i in self.targets}
            self._probe = fit_options(
                self.network, self.targets, offered, self._originals, self.images, settings, self._pool, report
            )
        return self._probe

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.__exit__(kind, error, trace)
