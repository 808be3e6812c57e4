"""`optimize`: from a network, images and a goal to the fastest or the best network."""

import time
from collections.abc import Sequence
from pathlib import Path

from yolodsc.engine import select_backend
from yolodsc.errors import OptionError
from yolodsc.files import folder as make_folder
from yolodsc.network import Network
from yolodsc.optimize.evaluator import CandidateEvaluator, SearchProgress
from yolodsc.optimize.finetuning import trained
from yolodsc.optimize.journal import JOURNAL_NAME, SearchJournal
from yolodsc.optimize.measurement import KINDS, ORIGINAL, Candidate, Measurement, PrecisionKind
from yolodsc.optimize.quality import LabelledImages
from yolodsc.optimize.search import Search, input_sizes
from yolodsc.optimize.settings import Optimization, OptimizeSettings
from yolodsc.optimize.timing import RelativeTimer
from yolodsc.optimize.variants import Variants
from yolodsc.precision import digest


def optimize(
    network: Network,
    paths: Sequence[str],
    settings: OptimizeSettings,
    folder: Path,
    *,
    count: int = 300,
    labelled: LabelledImages | None = None,
    progress: SearchProgress | None = None,
) -> Optimization:
    """Search the network that reaches a goal.

    Parameters
    ----------
    paths
        Unlabelled images like those that the network will see.
    folder
        Directory of the journal and of all networks that are made; a search that was interrupted goes on from there.
    count
        Number of images that are used for fits and agreement; fine-tuning uses all.
    labelled
        Images on which the mean AP is the quality; without them, the agreement on held-back images is.

    Raises
    ------
    OptionError
        The network has no head, or the directory holds another search.
    """
    begin = time.perf_counter()
    if not network.heads:
        raise OptionError(f"{network.cfg.file}: the network has no head; expected a detector")
    settings = _on_this_machine(settings)
    make_folder(folder, error=OptionError)
    journal = SearchJournal(folder / JOURNAL_NAME, _identity(network, paths, settings, count, labelled))
    variants = Variants(network, list(paths), count, settings, folder)
    report = progress or (lambda what, share, found: None)
    with RelativeTimer(network, threads=settings.threads) as timer:
        evaluator = CandidateEvaluator(variants, timer, journal, labelled, settings, report)
        chosen, reached = _searched(evaluator, list(paths), folder, report)
    variant = variants.variant(chosen.candidate)
    return Optimization(
        network=variant.network,
        quantization=variant.quantization,
        chosen=chosen,
        original=evaluator.original,
        measurements=tuple(evaluator.measurements),
        reached=reached,
        settings=settings,
        seconds=time.perf_counter() - begin,
    )


def _searched(evaluator: CandidateEvaluator, paths: list[str], folder: Path, report: SearchProgress) -> tuple[Measurement, bool]:
    """The choice, measured in all precisions, and whether it reaches the goal."""
    variants, settings = evaluator.variants, evaluator.settings
    search = Search(evaluator, input_sizes(variants.original), settings)
    try:
        search.run()
        if settings.epochs and (start := search.to_train()):
            _train(start, evaluator, paths, folder, report)
        chosen, reached = search.chosen()
        _all_precisions(chosen.candidate, evaluator, settings)
    finally:
        variants.close()
    return chosen, reached


def precisions_of_machine() -> tuple[PrecisionKind, ...]:
    """The precisions in which the engine computes on this machine."""
    isa = select_backend(None).isa
    available = {
        "f32": True,
        "bf16": bool(isa and isa.bf16),
        "mixed": bool(isa and isa.int8 and isa.bf16),
        "int8": bool(isa and isa.int8),
    }
    return tuple(kind for kind in KINDS if available[kind])


def _on_this_machine(settings: OptimizeSettings) -> OptimizeSettings:
    """The settings without precisions that the machine has no instructions for."""
    from msgspec.structs import replace

    kept = tuple(p for p in settings.precisions if p in precisions_of_machine())
    if not kept:
        raise OptionError(
            f"precisions={','.join(settings.precisions)}: this machine computes in {', '.join(precisions_of_machine())}",
            parameter="precisions",
        )
    return replace(settings, precisions=kept)


def _identity(
    network: Network, paths: Sequence[str], settings: OptimizeSettings, count: int, labelled: LabelledImages | None
) -> dict[str, object]:
    """What decides the results of measurements; the goal and the time limit may change when a search goes on."""
    return {
        "network": digest(network),
        "input": list(network.input_shape),
        "images": len(paths),
        "first image": str(paths[0]) if paths else "",
        "count": count,
        "labelled": [] if labelled is None else [len(labelled.dataset.ids), labelled.rule],
        "held_back": settings.held_back,
        "seed": settings.seed,
        "threads": settings.threads,
    }


def _train(start: Measurement, evaluator: CandidateEvaluator, paths: list[str], folder: Path, report: SearchProgress) -> None:
    """Fine-tune a decomposed network, and measure it in all precisions."""
    source = start.candidate
    settings, variants = evaluator.settings, evaluator.variants
    result = Candidate(source.width, source.height, f"{source.form}-trained", "f32")
    if not variants.is_made(result):
        student = variants.variant(Candidate(source.width, source.height, source.form, "f32")).network
        learned = trained(student, variants.original, paths, settings, folder / f"training-{result.stem}", report)
        variants.keep(result, learned)
    _all_precisions(result, evaluator, settings)


def _all_precisions(candidate: Candidate, evaluator: CandidateEvaluator, settings: OptimizeSettings) -> None:
    """Measure a network in every precision of the search; those that need long fits only if there is time."""
    for precision in settings.precisions:
        other = Candidate(candidate.width, candidate.height, candidate.form, precision)
        if candidate.form == ORIGINAL or candidate.trained or evaluator.allows(other):
            evaluator.measure(other)
