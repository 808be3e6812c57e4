"""What ``yolodsc detect`` does with a classifier: the most probable classes of each image."""

from contextlib import closing
from time import perf_counter
from typing import TYPE_CHECKING

from yolodsc.cli.options import DetectionOptions, RunningOptions, cores
from yolodsc.cli.progress import Compiling, progress
from yolodsc.cli.terminal import note, say
from yolodsc.detection import Classifier, Sources
from yolodsc.errors import ImageError

if TYPE_CHECKING:
    from yolodsc.network import Network


def classify(
    network: "Network",
    names: tuple[str, ...],
    paths: Sources,
    *,
    top: int,
    detection: DetectionOptions,
    running: RunningOptions,
    quiet: bool,
) -> int:
    """Print the ``top`` classes of each image as ``darknet classifier predict`` does; 1 if an image cannot be read."""
    threads, _ = cores(running.threads, quiet=quiet)
    classifier = Classifier(
        network,
        names,
        geometry=None if detection.letterbox is None else "letterbox" if detection.letterbox else "stretch",
        exif=detection.exif,
        decoder=detection.decoder,
        threads=threads,
        isa=running.isa,
        progress=None if quiet else Compiling(),
    )
    failed = 0
    with closing(classifier):
        for path in progress(paths, total=paths.count, quiet=quiet):
            failed += not _printed(classifier, path, top=top, quiet=quiet)
    return 1 if failed else 0


def _printed(classifier: Classifier, path: str, *, top: int, quiet: bool) -> bool:
    """Print the result of one image; False if it could not be read."""
    start = perf_counter()
    try:
        found = classifier(path)
    except ImageError as error:
        note(str(error))
        return False
    if not quiet:
        say(f"{path}: predicted in {(perf_counter() - start) * 1000:.0f} ms")
        say(*(f"{best.name}: {best.score:f}" for best in found.top(top)))
    return True
