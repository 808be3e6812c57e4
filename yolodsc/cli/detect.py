"""``yolodsc detect``."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from yolodsc.cli import options
from yolodsc.cli.progress import progress
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say
from yolodsc.detection import Detections, ImageResult, Sources, Writer, class_numbers, sample_images
from yolodsc.errors import OptionError
from yolodsc.files import is_file


def detect(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE…", help="Images, directories, globs, a .txt list, or - for a list on stdin."),
    ] = None,
    model: options.Model = None,
    cfg: options.CfgFile = None,
    weights: options.WeightsFile = None,
    names: options.NamesFile = None,
    data: options.DataFile = None,
    thresh: options.Thresh = None,
    nms: options.NmsThresh = None,
    profile: options.ProfileName = "alexeyab",
    letterbox: options.Letterbox = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B", help="Report only these classes.")] = None,
    threads: options.Threads = 1,
    streams: options.Streams = 1,
    isa: options.Isa = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write images with boxes drawn on them.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="F", help="Write Darknet's JSON.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="F", help="Write path,class,score,xmin,ymin,xmax,ymax.")] = None,
    txt: Annotated[Path | None, typer.Option(metavar="DIR", help="Write YOLO label files with scores.")] = None,
    crops: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every object as an image.")] = None,
    exif: options.Exif = None,
    decoder: options.DecoderName = "auto",
    partial: options.Partial = False,
    allow_nonfinite: options.AllowNonfinite = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> int:
    """Find objects in images: the sample photographs of scikit-image where no SOURCE is given."""
    files = options.model_files(model, cfg, weights, names, data=data)
    paths = Sources(sources or sample_images(), others=[path for path in (*files.paths, data) if path])
    options.apart({"--json": json, "--csv": csv}, paths.reads)
    if not sources and save is None:
        save = Path("detections")
        note(f"no SOURCE given; sample photographs, saved with their boxes in {save}/")
    fitting: dict[str, Any] = {"thresh": thresh, "nms": nms, "letterbox": letterbox, "exif": exif, "decoder": decoder}
    running: dict[str, Any] = {"threads": threads, "streams": streams, "isa": isa, "quiet": quiet}
    loading: dict[str, Any] = {"profile": profile, "partial": partial, "allow_nonfinite": allow_nonfinite}
    detector = options.detector(files, data=data, **loading, **fitting, **running)
    if classes is not None:
        detector.classes = class_numbers(detector.names, classes)
    if not quiet:
        for remark in detector.network.notes:
            note(remark)
    failed = 0
    with ExitStack() as stack:
        writers = _writers(paths.may_read, save=save, json=json, csv=csv, txt=txt, crops=crops)
        for writer in writers:
            stack.callback(writer.close)
        stack.callback(detector.close)
        for found in progress(detector.many(_checked(paths, writers, json, csv)), total=paths.count, quiet=quiet):
            failed += not _report(found, writers, quiet=quiet)
    return 1 if failed else 0


def _checked(paths: Sources, writers: list[Writer], *outputs: Path | None) -> Iterator[str]:
    """The paths; where standard input names a file that is to be written, nothing is written and an `OptionError` raised."""
    existing = [path for path in outputs if path is not None and is_file(path)] if paths.endless else []
    known = [path.stat() for path in existing]
    for path in paths:
        if known and is_file(path) and any(os.path.samestat(Path(path).stat(), output) for output in known):
            for writer in writers:
                writer.abandon()
            raise OptionError(f"{path}: is read in this run, and named by --json or --csv; expected another file")
        yield path


def _report(found: ImageResult, writers: list[Writer], *, quiet: bool) -> bool:
    """Write and print one image's results; False where there are none."""
    if found.detections is None or found.image is None:
        note(str(found.error))
        return False
    for writer in writers:
        writer.add(found.detections, found.image)
    if not quiet:
        count = len(found.detections)
        objects = f"{count} object{'' if count == 1 else 's'}"
        size = f"{found.detections.width}x{found.detections.height}"
        say(f"{found.path}: {size}, {objects}, {found.seconds * 1000:.0f} ms")
        say(*(f"  {line}" for line in _boxes(found.detections)))
    return True


def _boxes(detections: Detections) -> list[str]:
    """A table of classes, scores and pixels."""
    if not len(detections):
        return []
    rows: list[tuple[str, ...]] = [("class", "score", "left", "top", "right", "bottom")]
    for name, score, box in zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True):
        rows.append((name, f"{score:.3f}", *(f"{side:.0f}" for side in box)))
    return aligned(rows, left=1)


def _writers(
    reads: Callable[[Path], bool], *, save: Path | None, json: Path | None, csv: Path | None, txt: Path | None, crops: Path | None
) -> list[Writer]:
    """The writers that the options ask for; files that are read in this run keep their names for themselves."""
    from yolodsc.detection import AnnotatedWriter, CropWriter, CsvWriter, JsonWriter, TxtWriter

    folders = ((AnnotatedWriter, save), (TxtWriter, txt), (CropWriter, crops))
    writers: list[Writer] = [kind(folder, reads=reads) for kind, folder in folders if folder is not None]
    return [*writers, *([JsonWriter(json)] if json else []), *([CsvWriter(csv)] if csv else [])]
