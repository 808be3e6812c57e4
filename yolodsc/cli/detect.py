"""``yolodsc detect``."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.clips import ClipOptions, ClipRun
from yolodsc.cli.network_files import model_files, open_detector
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs
from yolodsc.cli.progress import progress
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say
from yolodsc.detection import Detections, ImageResult, Sources, Writer, class_numbers, is_clip, sample_images
from yolodsc.errors import OptionError
from yolodsc.files import is_file

if TYPE_CHECKING:
    from yolodsc.detection import Window

SAMPLE_FOLDER = Path("detections")
"""Where images with boxes are saved if neither SOURCE nor ``--save`` is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Files that hold detections."""

    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write images and videos with boxes drawn on them.")] = None
    json: Annotated[Path | None, typer.Option(metavar="F", help="Write detections in Darknet's JSON format.")] = None
    jsonl: Annotated[
        Path | None, typer.Option(metavar="F", help="Write a line of JSON for each image or frame; - is standard output.")
    ] = None
    csv: Annotated[
        Path | None, typer.Option(metavar="F", help="Write detections as CSV: path,class,score,xmin,ymin,xmax,ymax.")
    ] = None
    txt: Annotated[Path | None, typer.Option(metavar="DIR", help="Write YOLO label files with scores.")] = None
    crops: Annotated[Path | None, typer.Option(metavar="DIR", help="Write each detected object as an image.")] = None

    @property
    def lines_on_stdout(self) -> bool:
        """Whether standard output holds JSON Lines, and nothing else."""
        return str(self.jsonl) == "-"

    @property
    def files(self) -> dict[str, Path | None]:
        """Files by option."""
        return {"--json": self.json, "--jsonl": None if self.lines_on_stdout else self.jsonl, "--csv": self.csv}

    def writers(
        self, reads: Callable[[Path], bool], save: Path | None, *, frames: bool = False, tracks: bool = False
    ) -> list[Writer]:
        """A writer for each output; none writes to a file that is read in this run."""
        from yolodsc.detection import AnnotatedWriter, CropWriter, CsvWriter, JsonlWriter, JsonWriter, TxtWriter

        folders = ((AnnotatedWriter, save), (TxtWriter, self.txt), (CropWriter, self.crops))
        writers: list[Writer] = [kind(folder, reads=reads) for kind, folder in folders if folder is not None]
        writers += [JsonWriter(self.json)] if self.json else []
        writers += [JsonlWriter(sys.stdout if self.lines_on_stdout else self.jsonl)] if self.jsonl else []
        return [*writers, *([CsvWriter(self.csv, frames=frames, tracks=tracks)] if self.csv else [])]


def detect(
    *,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE…",
            help="Images, videos, directories, globs, a .txt list, - for a list on stdin, the number of a camera, or URLs.",
        ),
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
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    clips: ClipOptions,
    output: OutputOptions,
    quiet: options.Quiet = False,
) -> int:
    """Find objects in images, videos, cameras and streams, by default in the sample photographs of scikit-image."""
    clips.check()
    files = model_files(network, labels)
    paths = Sources(sources or sample_images(), others=[path for path in (*files.paths, labels.data) if path], clips=True)
    ensure_outputs_differ_from_inputs(output.files, paths.reads)
    save = output.save if sources or output.save else _sample_folder()
    detector = open_detector(
        files, data=labels.data, thresh=thresh, loading=loading, detection=detection, running=running, quiet=quiet
    )
    if classes is not None:
        detector.classes = class_numbers(detector.names, classes)
    if not quiet:
        for remark in detector.network.notes:
            note(remark)
    with ExitStack() as stack:
        window = _window(stack) if clips.show else None
        writers = output.writers(paths.may_read, save, frames=paths.has_clips(), tracks=clips.tracks)
        for writer in writers:
            stack.callback(writer.close)
        stack.callback(detector.close)
        run = ClipRun(detector=detector, writers=writers, options=clips, window=window, quiet=quiet or output.lines_on_stdout)
        return _run(run, paths, output)
    return 0  # the window was closed


def _sample_folder() -> Path:
    """The folder of the annotated sample photographs, which a line announces."""
    note(f"no SOURCE given; sample photographs, saved with their boxes in {SAMPLE_FOLDER}/")
    return SAMPLE_FOLDER


def _window(stack: ExitStack) -> "Window":
    """A window that the stack closes; closing it by hand ends the block without an error."""
    from yolodsc.detection import Window, WindowClosed

    stack.enter_context(suppress(WindowClosed))
    window = Window()
    stack.callback(window.close)
    return window


def _run(run: ClipRun, paths: Sources, output: OutputOptions) -> int:
    """Detect, write and print; the exit status."""
    failed = 0
    for clips, group in groupby(_checked(paths, run.writers, output), key=is_clip):
        if clips:
            failed += sum(not run.run(source) for source in group)
            continue
        for result in progress(run.detector.many(group), total=paths.count, quiet=run.quiet):
            failed += not _report(result, run)
    return 1 if failed else 0


def _checked(paths: Sources, writers: list[Writer], output: OutputOptions) -> Iterator[str]:
    """The paths; if standard input names a file that is to be written, nothing is written and an `OptionError` is raised."""
    existing = [path for path in output.files.values() if path is not None and is_file(path)] if paths.endless else []
    known = [path.stat() for path in existing]
    for path in paths:
        if known and is_file(path) and any(os.path.samestat(Path(path).stat(), status) for status in known):
            for writer in writers:
                writer.abandon()
            raise OptionError(f"{path}: is read in this run, and named by {' or '.join(output.files)}; expected another file")
        yield path


def _report(result: ImageResult, run: ClipRun) -> bool:
    """Write and print the results of one image; False if it could not be processed."""
    if result.detections is None or result.image is None:
        note(str(result.error))
        return False
    for writer in run.writers:
        writer.add(result.detections, result.image)
    if not run.quiet:
        count = len(result.detections)
        objects = f"{count} object{'' if count == 1 else 's'}"
        size = f"{result.detections.width}x{result.detections.height}"
        say(f"{result.path}: {size}, {objects}, {result.seconds * 1000:.0f} ms")
        say(*(f"  {line}" for line in _boxes(result.detections)))
    if run.window is not None:
        run.window.show(result.detections.draw(result.image)[..., ::-1].copy(), until_key=True)
    return True


def _boxes(detections: Detections) -> list[str]:
    """A table of classes, scores and pixels."""
    if not len(detections):
        return []
    rows: list[tuple[str, ...]] = [("class", "score", "left", "top", "right", "bottom")]
    for name, score, box in zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True):
        rows.append((name, f"{score:.3f}", *(f"{side:.0f}" for side in box)))
    return aligned(rows, left=1)
