"""``yolodsc detect``."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.network_files import load_network, model_files, names_of, open_detector
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs
from yolodsc.cli.progress import progress
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say
from yolodsc.detection import Detections, Detector, ImageResult, Sources, Writer, class_numbers, is_classifier, sample_images
from yolodsc.errors import OptionError
from yolodsc.files import is_file
from yolodsc.values import Value

SAMPLE_FOLDER = Path("detections")
"""Where images with boxes are saved if neither SOURCE nor ``--save`` is given."""


class OutputOptions(Value, kw_only=True):
    """Files that hold detections."""

    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write images with boxes drawn on them.")] = None
    json: Annotated[Path | None, typer.Option(metavar="F", help="Write detections in Darknet's JSON format.")] = None
    csv: Annotated[
        Path | None, typer.Option(metavar="F", help="Write detections as CSV: path,class,score,xmin,ymin,xmax,ymax.")
    ] = None
    txt: Annotated[Path | None, typer.Option(metavar="DIR", help="Write YOLO label files with scores.")] = None
    crops: Annotated[Path | None, typer.Option(metavar="DIR", help="Write each detected object as an image.")] = None

    def writers(self, reads: Callable[[Path], bool], save: Path | None) -> list[Writer]:
        """A writer for each output; none writes to a file that is read in this run."""
        from yolodsc.detection import AnnotatedWriter, CropWriter, CsvWriter, JsonWriter, TxtWriter

        folders = ((AnnotatedWriter, save), (TxtWriter, self.txt), (CropWriter, self.crops))
        writers: list[Writer] = [kind(folder, reads=reads) for kind, folder in folders if folder is not None]
        json = [JsonWriter(self.json)] if self.json else []
        return [*writers, *json, *([CsvWriter(self.csv)] if self.csv else [])]

    def ensure_none(self) -> None:
        """Raise an `OptionError` if any file is named: results of classifiers are only printed."""
        for name in ("save", "json", "csv", "txt", "crops"):
            if getattr(self, name) is not None:
                raise OptionError(f"--{name} is for detectors; this network is a classifier, whose classes are printed")


def detect(
    *,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE…", help="Images, directories, globs, a .txt list, or - for a list on stdin."),
    ] = None,
    network: options.NetworkOptions,
    labels: options.ClassOptions,
    thresh: Annotated[
        float | None,
        typer.Option("--thresh", min=0.0, max=1.0, help="Smallest score to report.", show_default="the profile's, 0.25"),
    ] = None,
    detection: options.DetectionOptions,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B", help="Names or numbers of the classes to report.", show_default="all")
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of classes that a classifier reports.")] = 5,
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    output: OutputOptions,
    quiet: options.Quiet = False,
) -> int:
    """Find objects in images, by default in the sample photographs of scikit-image."""
    files = model_files(network, labels)
    paths = Sources(sources or sample_images(), others=[path for path in (*files.paths, labels.data) if path])
    ensure_outputs_differ_from_inputs({"--json": output.json, "--csv": output.csv}, paths.reads)
    save = output.save
    if not sources and save is None:
        save = SAMPLE_FOLDER
        note(f"no SOURCE given; sample photographs, saved with their boxes in {save}/")
    loaded = load_network(files, loading)
    if is_classifier(loaded):
        output.ensure_none()
        names = names_of(files, loaded, data=labels.data)
        return _classify(loaded, names, paths, top=top, detection=detection, running=running, quiet=quiet)
    common: dict[str, Any] = {"loading": loading, "detection": detection, "running": running, "quiet": quiet}
    detector = open_detector(files, data=labels.data, thresh=thresh, network=loaded, **common)
    if classes is not None:
        detector.classes = class_numbers(detector.names, classes)
    if not quiet:
        for remark in detector.network.notes:
            note(remark)
    with ExitStack() as stack:
        writers = output.writers(paths.may_read, save)
        for writer in writers:
            stack.callback(writer.close)
        stack.callback(detector.close)
        return _run(detector, paths, writers, output, quiet=quiet)


def _classify(*given: Any, **options: Any) -> int:
    """`classify`, imported only for classifiers."""
    from yolodsc.cli.classify import classify

    return classify(*given, **options)


def _run(detector: Detector, paths: Sources, writers: list[Writer], output: OutputOptions, *, quiet: bool) -> int:
    """Detect, write and print; the exit status."""
    failed = 0
    for result in progress(detector.many(_checked(paths, writers, output)), total=paths.count, quiet=quiet):
        failed += not _report(result, writers, quiet=quiet)
    return 1 if failed else 0


def _checked(paths: Sources, writers: list[Writer], output: OutputOptions) -> Iterator[str]:
    """The paths; if standard input names a file that is to be written, nothing is written and an `OptionError` is raised."""
    existing = [path for path in (output.json, output.csv) if path is not None and is_file(path)] if paths.endless else []
    known = [path.stat() for path in existing]
    for path in paths:
        if known and is_file(path) and any(os.path.samestat(Path(path).stat(), status) for status in known):
            for writer in writers:
                writer.abandon()
            raise OptionError(f"{path}: is read in this run, and named by --json or --csv; expected another file")
        yield path


def _report(result: ImageResult, writers: list[Writer], *, quiet: bool) -> bool:
    """Write and print the results of one image; False if it could not be processed."""
    if result.detections is None or result.image is None:
        note(str(result.error))
        return False
    for writer in writers:
        writer.add(result.detections, result.image)
    if not quiet:
        count = len(result.detections)
        objects = f"{count} object{'' if count == 1 else 's'}"
        size = f"{result.detections.width}x{result.detections.height}"
        say(f"{result.path}: {size}, {objects}, {result.seconds * 1000:.0f} ms")
        say(*(f"  {line}" for line in _boxes(result.detections)))
    return True


def _boxes(detections: Detections) -> list[str]:
    """A table of classes, scores and pixels."""
    if not len(detections):
        return []
    rows: list[tuple[str, ...]] = [("class", "score", "left", "top", "right", "bottom")]
    for name, score, box in zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True):
        rows.append((name, f"{score:.3f}", *(f"{side:.0f}" for side in box)))
    return aligned(rows, left=1)
