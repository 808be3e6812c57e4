"""``yolodsc evaluate``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from yolodsc.cli import options
from yolodsc.cli.progress import progress
from yolodsc.cli.tables.evaluation import comparison_lines, evaluation_lines, write_csv
from yolodsc.cli.terminal import note, say
from yolodsc.darknet import read_data_names, read_names
from yolodsc.detection import Detector, ModelFiles
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    JOURNAL_FILE,
    Corners,
    Dataset,
    Evaluation,
    Format,
    FormatName,
    ImageDetections,
    InputReport,
    Rule,
    adjust_rule,
    append_journal,
    detection_table,
    image_set_file,
    inference_settings,
    load_json,
    mark_difficult,
    read_detections,
    read_set,
    read_truth,
    read_voc,
    resume_journal,
    rules_named,
    run_inference,
    stage_milliseconds,
    with_network_classes,
    write_comp4,
    write_json,
)
from yolodsc.evaluation import evaluate as scored_by
from yolodsc.files import exists, is_folder
from yolodsc.files import folder as made

MAP_THRESH = 0.005
"""Darknet's ``detector map``: least score of detections that are scored."""
CHOICES = ("drop", "list")
"""What ``--difficult`` may be besides a file."""
NOTES = 20
"""How many notes are printed; ``--json`` has all."""


def evaluate(
    voc: Annotated[Path | None, typer.Option(metavar="DIR", help="A VOC tree, such as VOCdevkit/VOC2007.")] = None,
    chosen: Annotated[
        str | None, typer.Option("--set", metavar="NAME|F", help="Image set of the tree, or a file of ids; test.")
    ] = None,
    gt: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Ground truth in another --format.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="F", help="voc, yolo, cartucho, coco or rafael.")] = "voc",
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Images, where --gt does not say it.")] = None,
    boxes: Annotated[str, typer.Option(metavar="K", help="Boxes of text files: xywh, xyxy or auto.")] = "auto",
    detections: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Score these; run nothing.")] = None,
    rules: Annotated[str, typer.Option(metavar="A,B", help="Rules to apply.")] = "all",
    iou: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Overlap of a match, .5; coco has its ten.")] = None,
    difficult: Annotated[str, typer.Option(metavar="drop|list|F", help="Darknet's rules: difficult= in .data.")] = "drop",
    model: options.Model = None,
    cfg: options.CfgFile = None,
    weights: options.WeightsFile = None,
    names: options.NamesFile = None,
    data: options.DataFile = None,
    thresh: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least score of detections that are scored.")] = MAP_THRESH,
    nms: options.NmsThresh = None,
    profile: options.ProfileName = "alexeyab",
    letterbox: options.Letterbox = None,
    exif: options.Exif = None,
    decoder: options.DecoderName = "auto",
    partial: options.Partial = False,
    allow_nonfinite: options.AllowNonfinite = False,
    threads: options.Threads = 1,
    streams: options.Streams = 1,
    isa: options.Isa = None,
    at: Annotated[float, typer.Option(min=0.0, max=1.0, help="Score above which TP, FP, precision, recall are counted.")] = 0.25,
    json: Annotated[Path | None, typer.Option(metavar="F", help="Write everything as JSON.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="F", help="Write one line a rule and class.")] = None,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Write curves as PNG and JSON.")] = None,
    save_detections: Annotated[Path | None, typer.Option(metavar="DIR", help="Write what is found: comp4 files.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from --save-detections.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse faulty annotations and detections.")] = False,
    compare: Annotated[tuple[Path, Path] | None, typer.Option(metavar="A B", help="Compare two --json files.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> int:
    """Score a network, or detections from files, by every rule in use."""
    if compare is not None:
        return _compare(*compare)
    network = any(option is not None for option in (model, cfg, weights))
    _consistent(detections, network=network, keep=save_detections is not None, resume=resume)
    if gt is not None and chosen is not None:
        raise OptionError("--set names images of --voc; --gt has a list of its own")
    chosen, listed = chosen or "test", None if difficult in CHOICES else Path(difficult)
    _writable(json=json, csv=csv, plots=plots)
    wanted, report = _rules(rules, iou, difficult), InputReport(strict=strict)
    form_ = Format(name=cast(FormatName, form), corners=cast(Corners, boxes), names=_names(names, data), images=images)
    truth = _Truth(voc, chosen, gt, form_, listed).checked()
    files = options.model_files(model, cfg, weights, names, data=data) if detections is None else None
    read = (gt, detections, names, data, listed, voc and image_set_file(voc, chosen), *(files.paths if files else ()))
    options.apart({"--json": json, "--csv": csv}, read)
    scored: list[ImageDetections] = []
    missing: frozenset[int] = frozenset()
    if files is not None:
        fitting: dict[str, Any] = {"thresh": thresh, "nms": nms, "letterbox": letterbox, "exif": exif, "decoder": decoder}
        running: dict[str, Any] = {"threads": threads, "streams": streams, "isa": isa, "quiet": quiet}
        loading: dict[str, Any] = {"profile": profile, "partial": partial, "allow_nonfinite": allow_nonfinite}
        detector = options.detector(files, data=data, **loading, **fitting, **running)
        dataset = with_network_classes(truth.read(detector.names, report), detector.names, report)
        keep = None if save_detections is None else _Keep(save_detections, files, resume, Path(chosen).stem)
        scored = _run(dataset, detector, keep, quiet=quiet)
        report.notes += [entry.error for entry in scored if entry.error]
        found = detection_table(dataset, scored)
    else:
        dataset = truth.read(form_.names, report)
        found, missing = read_detections(cast(Path, detections), dataset, form_, report)
    evaluation = scored_by(dataset, found, wanted, missing=missing, thresh=at, notes=report.notes, speed=stage_milliseconds(scored))
    _print(evaluation, quiet=quiet)
    _write(evaluation, json=json, csv=csv, plots=plots)
    return 1 if any(entry.error for entry in scored) else 0


def _consistent(detections: Path | None, *, network: bool, keep: bool, resume: bool) -> None:
    """Refuse options that exclude or need each other."""
    if detections is not None and network:
        raise OptionError("--detections and a network name two things to score; wanted one")
    if detections is not None and (keep or resume):
        raise OptionError("--save-detections and --resume need a network that is run; --detections names what was found before")
    if resume and not keep:
        raise OptionError("--resume continues what --save-detections DIR has; wanted both")


def _writable(*, json: Path | None, csv: Path | None, plots: Path | None) -> None:
    """Refuse, before anything runs, what could not be written at the end."""
    for option, path in (("--json", json), ("--csv", csv)):
        if path is not None and is_folder(path):
            raise OptionError(f"{option} {path}: is a directory; wanted a file")
    if plots is not None:
        from yolodsc.evaluation import require_matplotlib

        require_matplotlib()
        made(plots, error=OptionError)


def _compare(a: Path, b: Path) -> int:
    from yolodsc.evaluation import compare, read_evaluation

    first, second = (read_evaluation(load_json(path), file=path) for path in (a, b))
    differences = compare(first, second)
    say(*comparison_lines(differences, rule=first.matches.rule, images=len(first.images)))
    return 0


def _rules(names: str, iou: float | None, difficult: str) -> list[Rule]:
    """The rules that the options name; Darknet's with difficult objects where a list of them is at hand."""
    listed: Literal["drop", "list"] = "drop" if difficult == "drop" else "list"
    return [adjust_rule(rule, iou=iou, difficult=listed) for rule in rules_named(names)]


def _names(names: Path | None, data: Path | None) -> tuple[str, ...]:
    if names is not None:
        return read_names(names)
    return () if data is None else read_data_names(data)


@dataclass(frozen=True, slots=True)
class _Truth:
    """The options that say where the ground truth is."""

    voc: Path | None
    chosen: str
    gt: Path | None
    form: Format
    difficult: Path | None

    def checked(self) -> "_Truth":
        """The same, if it names one place that is there."""
        place = self.voc or self.gt
        if place is None or (self.voc and self.gt):
            raise OptionError("the ground truth is missing or named twice; wanted --voc DIR or --gt DIR")
        if not exists(place):
            raise DatasetError(f"{place}: no such file or folder")
        if self.voc is not None:
            read_set(self.voc, self.chosen)
        return self

    def read(self, names: tuple[str, ...], report: InputReport) -> Dataset:
        """Ground truth with classes in the order of ``names``."""
        if self.voc is not None:
            dataset = read_voc(self.voc, self.chosen, report, names=names)
        else:
            dataset = read_truth(cast(Path, self.gt), replace(self.form, names=names), report)
        return dataset if self.difficult is None else mark_difficult(dataset, self.difficult, report)


@dataclass(frozen=True, slots=True)
class _Keep:
    """Where detections are kept while a network runs, and under which names."""

    folder: Path
    files: ModelFiles
    resume: bool
    chosen: str


def _run(dataset: Dataset, detector: Detector, keep: _Keep | None, *, quiet: bool) -> list[ImageDetections]:
    """Run the network over the images, in their order; what is found is on disk as soon as it is found."""
    try:
        if keep is None:
            return list(progress(run_inference(dataset, detector), total=len(dataset.ids), quiet=quiet))
        return _kept(dataset, detector, keep, quiet=quiet)
    finally:
        detector.close()


def _kept(dataset: Dataset, detector: Detector, keep: _Keep, *, quiet: bool) -> list[ImageDetections]:
    path = made(keep.folder, error=DatasetError) / JOURNAL_FILE
    if exists(path) and not keep.resume:
        raise OptionError(f"{path}: exists; wanted --resume to continue it, or another folder")
    settings = inference_settings(detector, dataset, cfg=keep.files.cfg, weights=keep.files.weights)
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
        write_comp4(keep.folder, dataset, detection_table(dataset, in_order), chosen=keep.chosen)
    return in_order


def _write(evaluation: Evaluation, *, json: Path | None, csv: Path | None, plots: Path | None) -> None:
    if json is not None:
        write_json(json, evaluation.to_json())
    if csv is not None:
        write_csv(csv, evaluation)
    if plots is not None:
        from yolodsc.evaluation import write_plots

        write_plots(plots, evaluation)


def _print(evaluation: Evaluation, *, quiet: bool) -> None:
    """Notes on standard error, the table on standard output."""
    more = len(evaluation.notes) - NOTES
    last = [f"… and {more} more (all of them in --json)"] if more > 0 else []
    for remark in [*evaluation.notes[:NOTES], *last]:
        note(remark)
    if not quiet:
        say(*evaluation_lines(evaluation))
