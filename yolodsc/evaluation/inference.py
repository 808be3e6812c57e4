"""Running a detector over a dataset: what Darknet calls ``detector valid``."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.detection import Detections, Detector, Ticket, in_order
from yolodsc.errors import DatasetError, ImageError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.journal import ImageDetections
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.files import is_file
from yolodsc.images import ImageArray, Placement, fit, read_image, read_jpeg
from yolodsc.network import concatenated

READERS, READ_AHEAD = 2, 4
"""Threads that read images, at least, and how many images are begun beyond those in the network."""


@dataclass(frozen=True, slots=True, eq=False)
class _Input:
    """An image as the network reads it: ``x`` (C, H, W), where it lies there, its own size, seconds of reading."""

    x: Array
    placement: Placement
    width: int
    height: int
    seconds: float


def with_network_classes(dataset: Dataset, names: Sequence[str], report: InputReport) -> Dataset:
    """The dataset with a network's classes first; classes that only the dataset has are told."""
    own = [dataset.names[c] for c in np.unique(dataset.truth.class_id)]
    strange = [name for name in own if name not in names]
    if strange and len(strange) == len(own):
        report.problem(
            f"no object of the dataset ({_some(own)}) is of a class of the network ({_some(names)}); is it another --names?"
        )
    elif strange:
        report.note(f"the network does not know {_some(strange)}: never found")
    return dataset.with_names(names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + " …" * (len(names) > 3)


def run_inference(dataset: Dataset, detector: Detector, *, skip: Iterable[str] = ()) -> Iterator[ImageDetections]:
    """Run a detector over the images of a dataset, in order.

    Images are read ahead, the network works on as many as it has streams, boxes are decoded behind it, all in their own threads.
    """
    done = set(skip)
    remaining = ((name, path) for name, path in zip(dataset.ids, _images(dataset), strict=True) if name not in done)
    with (
        ThreadPoolExecutor(max(READERS, detector.streams), "read") as readers,
        ThreadPoolExecutor(detector.streams, "network") as workers,
        ThreadPoolExecutor(1, "post") as finisher,
    ):

        def begin(entry: tuple[str, Path], ticket: Ticket) -> "Future[Future[ImageDetections]]":
            reading = readers.submit(_read, entry[1], detector, ticket)
            return workers.submit(_run, entry[0], reading, detector, dataset.origin, finisher)

        with closing(in_order(remaining, begin, depth=READ_AHEAD + detector.streams)) as finishing:
            for later in finishing:
                yield later.result()


def _images(dataset: Dataset) -> tuple[Path, ...]:
    """Where the images are, all of them; a `DatasetError` otherwise."""
    if dataset.paths is None:
        raise DatasetError("the dataset has no images; wanted JPEGImages beside Annotations, --images DIR, or --detections")
    missing = [path for path in dataset.paths if not is_file(path)]
    if missing:
        raise DatasetError(f"{missing[0]}: no such image ({len(missing)} of {len(dataset.paths)} are missing)")
    return dataset.paths


def _read(path: Path, detector: Detector, ticket: Ticket) -> _Input:
    start = perf_counter()
    network = detector.network
    with ticket:
        image = _image(path, detector, lambda size: ticket.admit(size + 4 * network.input_shape.size))
        x, placement = fit(image, network.input_shape, profile=network.profile, geometry=detector.geometry)
    return _Input(x, placement, image.shape[1], image.shape[0], perf_counter() - start)


def _image(path: Path, detector: Detector, admit: Callable[[int], None]) -> ImageArray:
    """Decoded as the profile's program does it: Darknet's figures come out to the last digit only with Darknet's pixels."""
    network = detector.network
    darknet = network.profile.resize == "darknet" and not detector.exif and path.suffix.lower() in (".jpg", ".jpeg")
    channels = network.input_shape.channels
    decoded = read_jpeg(path, channels=channels, admit=admit) if darknet else None
    return read_image(path, channels=channels, exif=detector.exif, admit=admit) if decoded is None else decoded


def _run(
    name: str, reading: "Future[_Input]", detector: Detector, origin: float, finisher: ThreadPoolExecutor
) -> "Future[ImageDetections]":
    try:
        entry = reading.result()
    except ImageError as error:
        return finisher.submit(ImageDetections, name, [], [], [], error=str(error))
    start = perf_counter()
    outputs = detector.runner(entry.x)
    return finisher.submit(_finished, name, entry, outputs, detector, origin, perf_counter() - start)


def _finished(
    name: str, entry: _Input, outputs: dict[int, Array], detector: Detector, origin: float, seconds: float
) -> ImageDetections:
    start = perf_counter()
    found = detector.detections(outputs, entry.placement, width=entry.width, height=entry.height)
    found = found[_array_order(found, detector, outputs)]
    boxes = (found.boxes_xyxy.astype(np.float64) + origin).tolist()
    times = (round(entry.seconds, 6), round(seconds, 6), round(perf_counter() - start, 6))  # as the journal keeps them
    return ImageDetections(name, found.class_ids.tolist(), found.scores.astype(np.float64).tolist(), boxes, times)


def _array_order(found: Detections, detector: Detector, outputs: dict[int, Array]) -> NDArray[np.int64]:
    """The order of Darknet's array after suppression, on which its TP and FP at a threshold depend: (N,).

    ``box.c: do_nms_sort`` sorts the array by each class in turn, so that the last class decides, then the one before it.
    A box is known again by its objectness.
    """
    heads, image = detector.network.heads, detector.network.input_shape
    decoded = concatenated([head.decode(outputs[head.index], input_shape=image, thresh=detector.thresh) for head in heads])
    in_order = decoded.objectness[np.lexsort(-decoded.probabilities.T)]
    known, rank = np.unique(in_order, return_index=True)
    if not len(known):
        return np.arange(len(found))
    at = np.minimum(np.searchsorted(known, found.objectness), len(known) - 1)
    return np.argsort(rank[at], kind="stable")


def inference_settings(detector: Detector, dataset: Dataset, *, cfg: Path, weights: Path) -> dict[str, Any]:
    """All that detections depend on besides the images: what a run must share with the one that it continues."""
    return {
        "names": list(detector.names),
        "cfg": _digest(cfg),
        "weights": _digest(weights),
        "profile": detector.network.profile.name,
        "thresh": detector.thresh,
        "nms": detector.nms_thresh,
        "geometry": detector.geometry,
        "exif": detector.exif,
        "origin": dataset.origin,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def detection_table(dataset: Dataset, scored: Sequence[ImageDetections]) -> DetectionTable:
    """Columns out of images; boxes stay uncut, and know their borders."""
    index = {name: i for i, name in enumerate(dataset.ids)}
    image = np.concatenate([np.full(len(entry.scores), index[entry.id], np.int64) for entry in scored] or [np.zeros(0, np.int64)])
    class_id = np.array([c for entry in scored for c in entry.class_ids], np.int64)
    scores = np.array([s for entry in scored for s in entry.scores], np.float64)
    boxes = np.array([b for entry in scored for b in entry.boxes], np.float64).reshape(-1, 4)
    return DetectionTable(image, class_id, scores, boxes, dataset.limits)


def stage_milliseconds(scored: Sequence[ImageDetections]) -> dict[str, float]:
    """Milliseconds an image, by stage; the median of the images that were run."""
    times = np.array([entry.seconds for entry in scored if entry.error is None and any(entry.seconds)])
    if not len(times):
        return {}
    return dict(zip(("read", "network", "post"), (float(t) for t in np.median(times, axis=0) * 1000), strict=True))
