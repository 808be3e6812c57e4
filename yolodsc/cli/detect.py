"""``yolodsc detect``."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import groupby
from os.path import samestat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from yolodsc.cli import options
from yolodsc.cli.clips import ClipOptions, ClipRun
from yolodsc.cli.cluster import StreamingClusterOptions, advice_on_loss
from yolodsc.cli.declarations import argument, option
from yolodsc.cli.detection_outputs import OutputOptions
from yolodsc.cli.image_run import ImageRun
from yolodsc.cli.network_files import load_network, model_files, names_of, open_detector
from yolodsc.cli.parquet import ParquetOptions
from yolodsc.cli.progress import progress
from yolodsc.cli.run_totals import RunTotals
from yolodsc.cli.signals import advice_on_interrupt
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say
from yolodsc.detection import (
    Detections,
    ImageResult,
    Sources,
    Writer,
    class_numbers,
    is_classifier,
    is_clip,
    sample_images,
)
from yolodsc.errors import OptionError
from yolodsc.files import is_file
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import Detector, Window
    from yolodsc.images import ImageArray

SAMPLE_FOLDER = Path("detections")
"""Where images with boxes are saved if neither SOURCE nor ``--save`` is given."""

SourceArguments = Annotated[
    list[str] | None,
    argument(
        metavar="SOURCE…",
        help="Images, videos, directories, globs, a .txt list, - for a list on stdin, the number of a camera, or URLs.",
    ),
]


class SelectionOptions(Value, kw_only=True):
    """What is reported."""

    thresh: Annotated[
        float | None,
        option("--thresh", min=0.0, max=1.0, help="Smallest score to report.", show_default="the profile's, 0.25"),
    ] = None
    classes: Annotated[str | None, option(metavar="A,B", help="Names or numbers of the classes to report.", show_default="all")] = (
        None
    )
    top: Annotated[int, option(min=1, metavar="N", help="Number of classes that a classifier reports.")] = 5


def detect(
    *,
    sources: SourceArguments = None,
    network: options.NetworkOptions,
    labels: options.ClassOptions,
    selection: SelectionOptions,
    detection: options.DetectionOptions,
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    clips: ClipOptions,
    output: OutputOptions,
    parts: ParquetOptions,
    cluster: StreamingClusterOptions,
    quiet: options.Quiet = False,
) -> int:
    """Find objects in images, videos, cameras and streams, by default in the sample photographs of scikit-image."""
    clips.check()
    files = model_files(network, labels)
    paths = Sources(sources or sample_images(), others=[path for path in (*files.paths, labels.data) if path], clips=True)
    output.ensure_writable(paths)
    save = output.save if sources or output.save else _sample_folder()
    work = ImageRun(files=files, parts=parts, cluster=cluster, images=output.needs_images(save) or clips.show)
    work.check(paths)
    loaded = load_network(files, loading)
    if is_classifier(loaded):
        output.ensure_none()
        work.ensure_none()
        names = names_of(files, loaded, data=labels.data)
        return _classify(loaded, names, paths, top=selection.top, detection=detection, running=running, quiet=quiet)
    common: dict[str, Any] = {"loading": loading, "detection": detection, "running": running, "quiet": quiet}
    alone = paths.single and not is_clip(next(iter(paths)))
    detector = open_detector(files, data=labels.data, thresh=selection.thresh, network=loaded, one_image=alone, **common)
    if selection.classes is not None:
        detector.classes = class_numbers(detector.names, selection.classes)
    for remark in () if quiet else detector.network.notes:
        note(remark)
    return _detect(detector, paths, clips, work, output, save, quiet=quiet)


def _detect(
    detector: "Detector",
    paths: Sources,
    clips: ClipOptions,
    work: ImageRun,
    output: OutputOptions,
    save: Path | None,
    *,
    quiet: bool,
) -> int:
    """Run over all sources and write; the exit status."""
    for error in paths.missing:
        note(str(error))
    totals = RunTotals()
    with (
        advice_on_interrupt(lambda: work.parts.kept(totals.kept(output.written(save))), quiet=quiet),
        advice_on_loss(lambda: work.parts.advice),
        ExitStack() as stack,
    ):
        window = _window(stack) if clips.show else None
        writers = output.writers(paths, save, tracks=clips.tracks)
        for writer in writers:
            stack.callback(writer.close)
        stack.callback(detector.close)
        unheard = quiet or output.to_standard_output
        running = stack.enter_context(work.running(detector, paths, quiet=unheard))
        run = ClipRun(detector=running, writers=writers, options=clips, window=window, quiet=unheard)
        _run(run, work, paths, output, totals)
    if not quiet:
        totals.report(written=output.written(save))
    return 1 if totals.failed or paths.missing else 0


def _classify(*given: Any, **options: Any) -> int:
    """`classify`, imported only for classifiers."""
    from yolodsc.cli.classify import classify

    return classify(*given, **options)


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


def _run(run: ClipRun, work: ImageRun, paths: Sources, output: OutputOptions, totals: RunTotals) -> None:
    """Detect, write, print and count."""
    for clips, group in groupby(_checked(paths, run.writers, output), key=work.is_clip):
        if clips:
            for source in group:
                totals.add_clip(succeeded=run.run(source))
            continue
        for result in progress(work.results(run.detector, group), total=paths.count, quiet=run.quiet):
            totals.add(result)
            _report(result, run)


def _checked(paths: Sources, writers: list[Writer], output: OutputOptions) -> Iterator[str]:
    """The paths; if standard input names a file that is to be written, nothing is written and an `OptionError` is raised."""
    existing = [path for path in output.files.values() if path is not None and is_file(path)] if paths.endless else []
    known = [path.stat() for path in existing]
    for path in paths:
        if known and is_file(path) and any(samestat(Path(path).stat(), status) for status in known):
            for writer in writers:
                writer.abandon()
            raise OptionError(f"{path}: is read in this run, and named by {_option_of(path, output)}; expected another file")
        yield path


def _option_of(path: str, output: OutputOptions) -> str:
    """The option that names a file."""
    status = Path(path).stat()
    return next(option for option, given in output.files.items() if given and is_file(given) and samestat(given.stat(), status))


def _report(result: ImageResult, run: ClipRun) -> None:
    """Write and print the results of one image."""
    if result.detections is None:
        return note(str(result.error))
    image = _no_image() if result.image is None else result.image
    for writer in run.writers:
        writer.add(result.detections, image)
    if not run.quiet:
        count = len(result.detections)
        objects = f"{count} object{'' if count == 1 else 's'}"
        size = f"{result.detections.width}x{result.detections.height}"
        say(f"{result.path}: {size}, {objects}, {result.seconds * 1000:.0f} ms")
        say(*_boxes(result.detections))
    if run.window is not None:
        run.window.show(result.detections.draw(image)[..., ::-1].copy(), until_key=True)
    return None


def _no_image() -> "ImageArray":
    """What writers get that do not use images, where results have none."""
    import numpy as np

    return np.zeros((0, 0, 3), np.uint8)


def _boxes(detections: Detections) -> list[str]:
    """A table of classes, scores and pixels; boxes are cut at the edges of the image."""
    if not len(detections):
        return []
    rows: list[tuple[str, ...]] = [("class", "score", "left", "top", "right", "bottom")]
    limits = (detections.width, detections.height) * 2
    for name, score, box in zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True):
        rows.append((name, f"{score:.3f}", *(_inside(side, limit) for side, limit in zip(box, limits, strict=True))))
    return aligned(rows, left=1, bold=(0, 1), indent=2)


def _inside(side: float, limit: int) -> str:
    """A coordinate in whole pixels, inside the image."""
    return str(round(min(max(float(side), 0.0), limit)))
