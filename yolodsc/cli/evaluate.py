"""``yolodsc evaluate``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.evaluation_table import comparison_lines, evaluation_lines
from yolodsc.cli.progress import progress
from yolodsc.datasets import Dataset, Report, place
from yolodsc.datasets.coco_json import load_json, read_coco, read_results
from yolodsc.datasets.comp4 import read_comp4, write_comp4
from yolodsc.datasets.text import read_folder, read_folder_detections
from yolodsc.datasets.voc import read_annotations, read_voc
from yolodsc.detect import Detector
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluate import JOURNAL, Scored, detections_of, read_journal, speed_of, table_of, write_json
from yolodsc.evaluate import evaluate as scored_by
from yolodsc.metrics import Found, rules_named
from yolodsc.names import read_names
from yolodsc.profile import profile_named

MAP_THRESH = 0.005
"""Darknet's ``detector map``: least score of detections that are scored."""


def evaluate(
    voc: Annotated[Path | None, typer.Option(metavar="DIR", help="A VOC tree, such as VOCdevkit/VOC2007.")] = None,
    chosen: Annotated[str, typer.Option("--set", metavar="NAME|F", help="Image set of the tree, or a file of ids.")] = "test",
    gt: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Ground truth in another --format.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="F", help="voc, yolo, cartucho, coco or rafael.")] = "voc",
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures of a COCO ground truth.")] = None,
    boxes: Annotated[str, typer.Option(metavar="K", help="Boxes of text files: xywh, xyxy or auto.")] = "auto",
    detections: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Score these; run nothing.")] = None,
    rules: Annotated[str, typer.Option(metavar="A,B", help="Rules to apply.")] = "all",
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
    partial: options.Partial = False,
    threads: options.Threads = 1,
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
    wanted = rules_named(rules)
    report = Report(strict=strict)
    listed = read_names(names) if names is not None else ()
    detector = None
    if detections is None:
        files = options.model_files(model, cfg, weights, names)
        detector = Detector.from_files(
            files.cfg,
            files.weights,
            files.names,
            data=data,
            profile=profile_named(profile),
            partial=partial,
            thresh=thresh,
            nms_thresh=nms,
            geometry=None if letterbox is None else "letterbox" if letterbox else "stretch",
            exif=exif,
            threads=threads,
        )
        listed = detector.names
    dataset, categories = _dataset(voc, chosen, gt, form, images, boxes, listed, report)
    scored: list[Scored] = []
    missing: frozenset[int] = frozenset()
    failed = False
    if detector is not None:
        dataset = dataset.with_names(detector.names)
        with_dir = _run(dataset, detector, scored, save_detections, resume=resume, quiet=quiet, chosen=Path(chosen).stem)
        failed = with_dir
        found = table_of(dataset, scored)
        report.notes += [entry.error for entry in scored if entry.error]
    else:
        found, missing = _read_detections(detections, form, dataset, categories, boxes, listed, report)  # type: ignore[arg-type]
    evaluation = scored_by(dataset, found, wanted, missing=missing, thresh=at, notes=report.notes, speed=speed_of(scored))
    if json is not None:
        write_json(json, evaluation.to_json())
    if csv is not None:
        from yolodsc.cli.evaluation_table import write_csv

        write_csv(csv, evaluation)
    if plots is not None:
        from yolodsc.plots import write_plots

        write_plots(plots, evaluation)
    for note in evaluation.notes[:20]:
        print(f"yolodsc: {note}", file=sys.stderr)
    if len(evaluation.notes) > 20:
        print(f"yolodsc: … and {len(evaluation.notes) - 20} more (all of them in --json)", file=sys.stderr)
    if not quiet:
        print("\n".join(evaluation_lines(evaluation)))
    return 1 if failed else 0


def _compare(a: Path, b: Path) -> int:
    from yolodsc.metrics.bootstrap import compare

    print("\n".join(comparison_lines(compare(load_json(a), load_json(b)))))
    return 0


def _dataset(
    voc: Path | None,
    chosen: str,
    gt: Path | None,
    form: str,
    images: Path | None,
    boxes: str,
    names: tuple[str, ...],
    report: Report,
) -> tuple[Dataset, dict[int, str] | None]:
    """The ground truth that the options name; for COCO its categories too."""
    if boxes not in {"auto", "xywh", "xyxy"}:
        raise OptionError(f"--boxes {boxes}: wanted auto, xywh or xyxy")
    if voc is not None:
        return read_voc(voc, chosen, report, names=names), None
    assert gt is not None
    if form == "coco":
        return read_coco(gt, report, pictures=images)
    if form not in {"voc", "yolo", "cartucho", "rafael"}:
        raise OptionError(f"--format {form}: wanted voc, yolo, cartucho, coco or rafael")
    if not gt.exists():
        raise DatasetError(f"{gt}: no such file or folder")
    ids = sorted(path.stem for path in gt.glob("*.xml")) if gt.is_dir() else []
    if ids or form == "voc":
        return read_annotations(gt, ids, report, names=names), None
    return read_folder(gt, form, report, names=names, corners=boxes), None  # type: ignore[arg-type]


def _read_detections(
    place_: Path, form: str, dataset: Dataset, categories: dict[int, str] | None, boxes: str, names: tuple[str, ...], report: Report
) -> tuple[Found, frozenset[int]]:
    if place_.is_file():
        return place(dataset, read_results(place_, dataset, report, categories=categories), report), frozenset()
    if not place_.is_dir():
        raise DatasetError(f"{place_}: no such file or folder")
    if (place_ / JOURNAL).is_file():
        known = read_journal(place_ / JOURNAL, dataset.names)
        return table_of(dataset, [entry for entry in known if entry.id in set(dataset.ids)]), frozenset()
    if (form == "voc" and any(place_.glob("*_det_*.txt"))) or form == "coco":
        rows, missing = read_comp4(place_, dataset.names, report)
        return place(dataset, rows, report), missing
    if form == "voc" and not any(path.stem in set(dataset.ids) for path in place_.glob("*.txt")):
        rows, missing = read_comp4(place_, dataset.names, report)
        return place(dataset, rows, report), missing
    text_form = "cartucho" if form == "voc" else form
    rows = read_folder_detections(place_, text_form, dataset, report, names=names, corners=boxes)  # type: ignore[arg-type]
    return place(dataset, rows, report), frozenset()


def _run(
    dataset: Dataset, detector: Detector, scored: list[Scored], folder: Path | None, *, resume: bool, quiet: bool, chosen: str
) -> bool:
    """Fill ``scored`` picture by picture, keeping a journal in ``folder``; whether any picture failed."""
    if resume and folder is None:
        raise OptionError("--resume continues what --save-detections DIR has; wanted both")
    if folder is None:
        scored += progress(detections_of(dataset, detector), total=len(dataset.ids), quiet=quiet)
        return any(entry.error for entry in scored)
    import json as json_lines

    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / JOURNAL
    if journal.exists() and not resume:
        raise OptionError(f"{journal}: exists; wanted --resume to continue it, or another folder")
    known = set(dataset.ids)
    scored += [entry for entry in read_journal(journal, detector.names) if entry.id in known] if resume else []
    done = {entry.id for entry in scored}
    with journal.open("w", encoding="utf-8") as file:
        file.write(json_lines.dumps({"names": list(detector.names), "thresh": detector.thresh}) + "\n")
        file.writelines(entry.line() for entry in scored)
        try:
            total = len(dataset.ids) - len(done)
            for entry in progress(detections_of(dataset, detector, skip=done), total=total, quiet=quiet):
                scored.append(entry)
                if entry.error is None:
                    file.write(entry.line())
        finally:
            order = {name: i for i, name in enumerate(dataset.ids)}
            scored.sort(key=lambda entry: order[entry.id])
            write_comp4(folder, dataset, table_of(dataset, scored), chosen=chosen)
    return any(entry.error for entry in scored)
