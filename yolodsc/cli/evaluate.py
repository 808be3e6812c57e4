"""``yolodsc evaluate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.cluster import ClusterOptions
from yolodsc.cli.comparison import compare_files, compared, ensure_unused
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.cli.inference import DatasetDetections, DetectionRun, JournalOptions, dataset_detections
from yolodsc.cli.notes import print_notes
from yolodsc.cli.outputs import is_standard_output, write_text
from yolodsc.cli.tables.evaluation import csv_text, evaluation_lines
from yolodsc.cli.terminal import note, say
from yolodsc.detection import class_numbers
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    Dataset,
    DetectionTable,
    Evaluation,
    EvaluationFile,
    Rule,
    adjust_rule,
    load_json,
    restricted,
    rules_named,
    with_headline,
)
from yolodsc.evaluation import evaluate as evaluate_detections
from yolodsc.files import folder as make_folder
from yolodsc.files import is_folder
from yolodsc.schemas import dump_json
from yolodsc.values import Value

MAP_THRESH = 0.005
"""Smallest score of detections in Darknet's ``detector map``."""


class ReportOptions(Value, kw_only=True):
    """Files that hold the evaluation."""

    json: Annotated[Path | None, typer.Option(metavar="F|-", help="Write the evaluation as JSON.")] = None
    csv: Annotated[Path | None, typer.Option(metavar="F|-", help="Write one line for each rule and class as CSV.")] = None
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Write curves as PNG and JSON files.")] = None
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a page with tables, curves and the images with most errors.")
    ] = None
    report_images: Annotated[int, typer.Option(min=0, metavar="N", help="Number of images on the page.")] = 200
    baseline: Annotated[Path | None, typer.Option(metavar="F", help="Earlier --json to compare with on the page of --report.")] = (
        None
    )
    confusion: Annotated[bool, typer.Option("--confusion", help="Print the confusion matrix.")] = False

    def ensure_writable(self) -> None:
        """Raise an error, before anything runs, for an output that cannot be written at the end."""
        for option, path in (("--json", self.json), ("--csv", self.csv)):
            if path is not None and is_folder(path):
                raise OptionError(f"{option} {path}: is a directory; expected a file")
        if self.baseline is not None and self.report is None:
            raise OptionError("--baseline F is compared on the page of --report DIR; expected both")
        if self.report is not None:
            make_folder(self.report, error=OptionError)
        if self.plots is not None:
            from yolodsc.evaluation import require_matplotlib

            require_matplotlib()
            make_folder(self.plots, error=OptionError)

    def write(self, evaluation: Evaluation, *, quiet: bool) -> None:
        """Write the files that are named."""
        if self.json is not None:
            content = dump_json(evaluation.to_json(), file=self.json, error=DatasetError)
            write_text(self.json, content, error=DatasetError, quiet=quiet)
        if self.csv is not None:
            write_text(self.csv, csv_text(evaluation), error=DatasetError, quiet=quiet)
        if self.plots is not None:
            from yolodsc.evaluation import write_plots

            write_plots(self.plots, evaluation)
            if not quiet:
                note(f"wrote plots to {self.plots}/")
        if self.report is not None:
            from yolodsc.evaluation import evaluation_page, write_page

            page = evaluation_page(evaluation, comparison=self._comparison(evaluation), images=self.report_images)
            written = write_page(self.report, page)
            if not quiet:
                note(f"wrote {written}")

    def ensure_comparable(self, rule: str) -> None:
        """Raise an `OptionError` if the baseline was written with another headline rule."""
        if self.baseline is not None and (earlier := self._earlier().matches.rule) != rule:
            raise OptionError(f"--baseline {self.baseline}: holds the matches of {earlier}; expected --rule {earlier}")

    def _earlier(self) -> EvaluationFile:
        from yolodsc.evaluation import read_evaluation

        path = self.baseline or Path()
        return read_evaluation(load_json(path), file=path)

    def _comparison(self, evaluation: Evaluation) -> dict[str, Any] | None:
        """The earlier run against this one."""
        if self.baseline is None:
            return None
        from yolodsc.evaluation import read_evaluation

        this = read_evaluation(evaluation.to_json(), file="this run")
        return compared(self._earlier(), this, a=self.baseline.stem, b="this run")


class ScoringOptions(Value, kw_only=True):
    """What is scored besides a network, and how."""

    detections: Annotated[
        Path | None, typer.Option(metavar="DIR|F", help="Score these detections instead of running a network.")
    ] = None
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="R", help="The headline rule.", show_default="voc07; darknet for a .data file, coco for COCO and YAML"
        ),
    ] = None
    rules: Annotated[str, typer.Option(metavar="A,B", help="Names of the rules to apply, separated by commas.")] = "all"
    classes: Annotated[
        str | None, typer.Option(metavar="A,B", help="Names or numbers of the classes to score.", show_default="all")
    ] = None
    iou: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Smallest IoU of a match.", show_default="0.5; coco: 0.5 to 0.95")
    ] = None
    at: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Score above which detections count for TP, FP, precision and recall.")
    ] = 0.25
    strict: Annotated[bool, typer.Option("--strict", help="Refuse faulty annotations and detections.")] = False

    def selected_rules(self, ground_truth: GroundTruthOptions) -> list[Rule]:
        """The rules that are named, the headline first; Darknet's rules use a list of difficult objects if there is one."""
        rules = rules_named(self.rules)
        headline = self.rule or (ground_truth.headline if self.rules == "all" else None)
        if headline is not None:
            rules = with_headline(rules, headline)
        return [adjust_rule(rule, iou=self.iou, difficult=ground_truth.difficult_treatment) for rule in rules]

    def restrict(self, found: DatasetDetections) -> tuple[Dataset, DetectionTable, frozenset[int]]:
        """Dataset, detections and missing classes, with the selected classes only."""
        if self.classes is None:
            return found.dataset, found.detections, found.missing
        numbers = class_numbers(found.dataset.names, self.classes)
        return restricted(found.dataset, found.detections, found.missing, numbers)


def evaluate(
    *,
    ground_truth: GroundTruthOptions,
    scoring: ScoringOptions,
    network: options.NetworkOptions,
    thresh: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Smallest score of detections that are scored.", rich_help_panel="Detection"),
    ] = MAP_THRESH,
    detection: options.DetectionOptions,
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    output: ReportOptions,
    journal: JournalOptions,
    cluster: ClusterOptions,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Compare two files that --json has written.", rich_help_panel="Scoring"),
    ] = None,
    quiet: options.Quiet = False,
) -> int:
    """Score a network, or detections from files, by the evaluation rules in common use."""
    if compare is not None:
        groups = (scoring, output, ground_truth, network, detection, loading, running, journal, cluster)
        ensure_unused(groups, *(["--thresh"] if thresh != MAP_THRESH else []))
        return compare_files(*compare, rule=scoring.rule, report=output.report, quiet=quiet)
    run = DetectionRun(
        detections=scoring.detections,
        network=network,
        thresh=thresh,
        loading=loading,
        detection=detection,
        running=running,
        journal=journal,
        cluster=cluster,
        strict=scoring.strict,
        quiet=quiet,
    )
    run.ensure_consistent()
    ground_truth.ensure_present()
    output.ensure_writable()
    rules = scoring.selected_rules(ground_truth)
    output.ensure_comparable(rules[0].name)
    found = dataset_detections(ground_truth, run, {"--json": output.json, "--csv": output.csv})
    dataset, detections, missing = scoring.restrict(found)
    evaluation = evaluate_detections(
        dataset, detections, rules, missing=missing, thresh=scoring.at, notes=found.notes, speed=found.speed
    )
    _report(evaluation, output, quiet=quiet)
    return 1 if found.failed else 0


def _report(evaluation: Evaluation, output: ReportOptions, *, quiet: bool) -> None:
    """Print the evaluation and write its files."""
    _print(
        evaluation,
        confusion=output.confusion,
        quiet=quiet or is_standard_output(output.json) or is_standard_output(output.csv),
    )
    output.write(evaluation, quiet=quiet)


def _print(evaluation: Evaluation, *, confusion: bool, quiet: bool) -> None:
    """Print notes on standard error and the table on standard output."""
    print_notes(evaluation.notes, rest="all of them in --json")
    if not quiet:
        say(*evaluation_lines(evaluation, confusion=confusion))
