"""``yolodsc evaluate``."""

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from yolodsc.cli import options
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.cli.network_files import model_files, open_detector
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs
from yolodsc.cli.progress import progress
from yolodsc.cli.tables.evaluation import comparison_lines, evaluation_lines, write_csv
from yolodsc.cli.terminal import note, say
from yolodsc.darknet import read_data_names, read_names
from yolodsc.detection import Detector, ModelFiles
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    JOURNAL_FILE,
    Dataset,
    Evaluation,
    ImageDetections,
    InputReport,
    Rule,
    adjust_rule,
    append_journal,
    detection_table,
    inference_settings,
    load_json,
    read_detections,
    resume_journal,
    rules_named,
    run_inference,
    stage_milliseconds,
    with_network_classes,
    write_comp4,
    write_json,
)
from yolodsc.evaluation import evaluate as evaluate_detections
from yolodsc.files import exists, is_folder
from yolodsc.files import folder as make_folder
from yolodsc.values import Value

MAP_THRESH = 0.005
"""Smallest score of detections in Darknet's ``detector map``."""
MAX_NOTES = 20
"""Number of notes that are printed; ``--json`` has all."""


class ReportOptions(Value, kw_only=True):
    """Files that hold the evaluation."""

    json: Annotated[Path | None, typer.Option(metavar="F", help="Write the evaluation as JSON.")] = None
    csv: Annotated[Path | None, typer.Option(metavar="F", help="Write one line for each rule and class as CSV.")] = None
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Write curves as PNG and JSON files.")] = None

    def ensure_writable(self) -> None:
        """Raise an error, before anything runs, for an output that cannot be written at the end."""
        for option, path in (("--json", self.json), ("--csv", self.csv)):
            if path is not None and is_folder(path):
                raise OptionError(f"{option} {path}: is a directory; expected a file")
        if self.plots is not None:
            from yolodsc.evaluation import require_matplotlib

            require_matplotlib()
            make_folder(self.plots, error=OptionError)

    def write(self, evaluation: Evaluation) -> None:
        """Write the files that are named."""
        if self.json is not None:
            write_json(self.json, evaluation.to_json())
        if self.csv is not None:
            write_csv(self.csv, evaluation)
        if self.plots is not None:
            from yolodsc.evaluation import write_plots

            write_plots(self.plots, evaluation)


class JournalOptions(Value, kw_only=True):
    """Where detections are saved while a network runs."""

    save_detections: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save detections in VOC's comp4 files, and a journal to resume from.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run that --save-detections holds.")] = False


class ScoringOptions(Value, kw_only=True):
    """What is scored besides a network, and how."""

    detections: Annotated[
        Path | None, typer.Option(metavar="DIR|F", help="Score these detections instead of running a network.")
    ] = None
    rules: Annotated[str, typer.Option(metavar="A,B", help="Names of the rules to apply, separated by commas.")] = "all"
    iou: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Smallest IoU of a match.", show_default="0.5; coco: 0.5 to 0.95")
    ] = None
    at: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Score above which detections count for TP, FP, precision and recall.")
    ] = 0.25
    strict: Annotated[bool, typer.Option("--strict", help="Refuse faulty annotations and detections.")] = False

    def selected_rules(self, difficult: str) -> list[Rule]:
        """The rules that are named; Darknet's rules use a list of difficult objects if there is one."""
        treatment: Literal["drop", "list"] = "drop" if difficult == "drop" else "list"
        return [adjust_rule(rule, iou=self.iou, difficult=treatment) for rule in rules_named(self.rules)]


def evaluate(
    *,
    ground_truth: GroundTruthOptions,
    scoring: ScoringOptions,
    network: options.NetworkOptions,
    classes: options.ClassOptions,
    thresh: Annotated[float, typer.Option(min=0.0, max=1.0, help="Smallest score of detections that are scored.")] = MAP_THRESH,
    detection: options.DetectionOptions,
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    output: ReportOptions,
    journal: JournalOptions,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Compare two files that --json has written.")
    ] = None,
    quiet: options.Quiet = False,
) -> int:
    """Score a network, or detections from files, by the evaluation rules in common use."""
    if compare is not None:
        return _compare(*compare)
    _ensure_consistent(scoring.detections, network, journal)
    ground_truth.ensure_consistent()
    output.ensure_writable()
    rules, report, names = scoring.selected_rules(ground_truth.difficult), InputReport(strict=scoring.strict), _names(classes)
    form = ground_truth.format(names)
    ground_truth.ensure_present()
    files = model_files(network, classes) if scoring.detections is None else None
    read = (*ground_truth.paths, scoring.detections, classes.names, classes.data, *(files.paths if files else ()))
    ensure_outputs_differ_from_inputs({"--json": output.json, "--csv": output.csv}, read)
    scored: list[ImageDetections] = []
    missing: frozenset[int] = frozenset()
    if files is None:
        dataset = ground_truth.read(names, report)
        detections, missing = read_detections(cast(Path, scoring.detections), dataset, form, report)
    else:
        detector = open_detector(
            files, data=classes.data, thresh=thresh, loading=loading, detection=detection, running=running, quiet=quiet
        )
        dataset = with_network_classes(ground_truth.read(detector.names, report), detector.names, report)
        scored = _run(dataset, detector, _Journal.of(journal, files, ground_truth.chosen), quiet=quiet)
        report.notes += [entry.error for entry in scored if entry.error]
        detections = detection_table(dataset, scored)
    results: dict[str, Any] = {"missing": missing, "thresh": scoring.at, "notes": report.notes, "speed": stage_milliseconds(scored)}
    _report(evaluate_detections(dataset, detections, rules, **results), output, quiet=quiet)
    return 1 if any(entry.error for entry in scored) else 0


def _report(evaluation: Evaluation, output: ReportOptions, *, quiet: bool) -> None:
    """Print the evaluation and write its files."""
    _print(evaluation, quiet=quiet)
    output.write(evaluation)


def _ensure_consistent(detections: Path | None, network: options.NetworkOptions, journal: JournalOptions) -> None:
    """Raise an `OptionError` for options that exclude or need each other."""
    saved = journal.save_detections is not None
    if detections is not None and network.given:
        raise OptionError("--detections and a network name two things to score; expected one")
    if detections is not None and (saved or journal.resume):
        raise OptionError("--save-detections and --resume need a network to run; --detections names results of an earlier run")
    if journal.resume and not saved:
        raise OptionError("--resume continues the run that --save-detections DIR holds; expected both")


def _compare(a: Path, b: Path) -> int:
    from yolodsc.evaluation import compare, read_evaluation

    first, second = (read_evaluation(load_json(path), file=path) for path in (a, b))
    differences = compare(first, second)
    say(*comparison_lines(differences, rule=first.matches.rule, images=len(first.images)))
    return 0


def _names(classes: options.ClassOptions) -> tuple[str, ...]:
    if classes.names is not None:
        return read_names(classes.names)
    return () if classes.data is None else read_data_names(classes.data)


class _Journal(Value):
    """Where detections are saved while a network runs, and for which network and image set."""

    folder: Path
    files: ModelFiles
    resume: bool
    image_set: str

    @classmethod
    def of(cls, options: JournalOptions, files: ModelFiles, chosen: str) -> "_Journal | None":
        """The journal that the options describe; None if detections are not saved."""
        folder = options.save_detections
        return None if folder is None else cls(folder, files, options.resume, Path(chosen).stem)


def _run(dataset: Dataset, detector: Detector, journal: _Journal | None, *, quiet: bool) -> list[ImageDetections]:
    """Run the network over the images, in their order."""
    try:
        if journal is None:
            return list(progress(run_inference(dataset, detector), total=len(dataset.ids), quiet=quiet))
        return _run_with_journal(dataset, detector, journal, quiet=quiet)
    finally:
        detector.close()


def _run_with_journal(dataset: Dataset, detector: Detector, kept: _Journal, *, quiet: bool) -> list[ImageDetections]:
    """Write the detections of each image to disk immediately; skip images that the journal already has."""
    path = make_folder(kept.folder, error=DatasetError) / JOURNAL_FILE
    if exists(path) and not kept.resume:
        raise OptionError(f"{path}: exists; expected --resume to continue it, or another folder")
    settings = inference_settings(detector, dataset, cfg=kept.files.cfg, weights=kept.files.weights)
    order = {name: i for i, name in enumerate(dataset.ids)}
    scored = {entry.id: entry for entry in resume_journal(path, settings) if entry.id in order}
    remaining = progress(run_inference(dataset, detector, skip=set(scored)), total=len(order) - len(scored), quiet=quiet)
    try:
        with append_journal(path, settings) as journal:
            for entry in remaining:
                scored[entry.id] = entry
                if entry.error is None:
                    journal.write(entry.line())
    finally:
        in_order = sorted(scored.values(), key=lambda entry: order[entry.id])
        write_comp4(kept.folder, dataset, detection_table(dataset, in_order), chosen=kept.image_set)
    return in_order


def _print(evaluation: Evaluation, *, quiet: bool) -> None:
    """Print notes on standard error and the table on standard output."""
    more = len(evaluation.notes) - MAX_NOTES
    last = [f"… and {more} more (all of them in --json)"] if more > 0 else []
    for remark in [*evaluation.notes[:MAX_NOTES], *last]:
        note(remark)
    if not quiet:
        say(*evaluation_lines(evaluation))
