"""Running a detector over a dataset: what Darknet calls ``detector valid``."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.detection import Detections, Detector, ImageResult
from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.journal import ImageDetections
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.files import is_file
from yolodsc.network import Candidates


def with_network_classes(dataset: Dataset, names: Sequence[str], report: InputReport) -> Dataset:
    """Return the dataset with a network's classes first; report classes that only the dataset has.

    A `DatasetError` if they have no class in common.
    """
    labelled = [dataset.names[c] for c in np.unique(dataset.ground_truth.class_id)]
    unknown = [name for name in labelled if name not in names]
    if unknown and len(unknown) == len(labelled):
        raise DatasetError(
            f"no object of the dataset ({_some(labelled)}) is of a class of the network ({_some(names)}); are the names its own?"
        )
    if unknown:
        report.note(f"the network does not know {_some(unknown)}: never found")
    return dataset.with_names(names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + " …" * (len(names) > 3)


def run_inference(dataset: Dataset, detector: Detector, *, skip: Iterable[str] = ()) -> Iterator[ImageDetections]:
    """Run a detector over the images of a dataset, in their order, with the pipeline of `Detector.many`.

    Parameters
    ----------
    skip
        Ids of images to leave out.

    Raises
    ------
    DatasetError
        The dataset has no images, or some are missing.
    """
    done = set(skip)
    images = [(name, str(path)) for name, path in zip(dataset.ids, _images(dataset), strict=True) if name not in done]
    with closing(detector.many([path for _, path in images])) as results:
        for (name, _), result in zip(images, results, strict=True):
            yield _image_detections(name, result, dataset.origin)


def _images(dataset: Dataset) -> tuple[Path, ...]:
    """Return the paths of all images; raise a `DatasetError` if the dataset has none or one is missing."""
    if dataset.paths is None:
        raise DatasetError("the dataset has no images; expected JPEGImages beside Annotations, a folder of images, or detections")
    missing = [path for path in dataset.paths if not is_file(path)]
    if missing:
        raise DatasetError(f"{missing[0]}: no such image ({len(missing)} of {len(dataset.paths)} are missing)")
    return dataset.paths


def _image_detections(name: str, result: ImageResult, origin: float) -> ImageDetections:
    if result.detections is None or result.candidates is None:
        return ImageDetections(name, [], [], [], error=str(result.error))
    start = perf_counter()
    detections = result.detections[_array_order(result.detections, result.candidates)]
    boxes = (detections.boxes_xyxy.astype(np.float64) + origin).tolist()
    class_ids, scores = detections.class_ids.tolist(), detections.scores.astype(np.float64).tolist()
    post = result.stages.post + perf_counter() - start
    seconds = (round(result.stages.read, 6), round(result.stages.network, 6), round(post, 6))  # the journal's precision
    return ImageDetections(name, class_ids, scores, boxes, seconds)


def _array_order(detections: Detections, candidates: Candidates) -> NDArray[np.int64]:
    """Rows of the detections (N,) in the order of Darknet's array after suppression, on which its TP and FP at a threshold depend.

    ``box.c: do_nms_sort`` sorts the array by each class in turn, so that the last class decides, then the one before it.
    """
    rank = np.empty(len(candidates), np.int64)  # (M,): position of each candidate in Darknet's array
    rank[np.lexsort(-candidates.probabilities.T)] = np.arange(len(candidates))
    return np.argsort(rank[detections.candidate_ids], kind="stable")


def inference_settings(detector: Detector, dataset: Dataset, *, cfg: Path, weights: Path) -> dict[str, Any]:
    """Return the settings that the detections of a dataset depend on; a resumed run must have the same."""
    return {**detector_settings(detector, cfg=cfg, weights=weights), "origin": dataset.origin}


def detector_settings(detector: Detector, *, cfg: Path, weights: Path) -> dict[str, Any]:
    """Return the settings of a detector that its detections depend on."""
    return {
        "names": list(detector.names),
        "cfg": _digest(cfg),
        "weights": _digest(weights),
        "profile": detector.network.profile.name,
        "input": list(detector.network.input_shape),
        "thresh": detector.thresh,
        "nms": detector.nms_thresh,
        "geometry": detector.reader.geometry,
        "exif": detector.reader.exif,
        "decoder": detector.reader.decoder,
        "precision": detector.precision,
        "tiles": None if detector.tiling is None else str(detector.tiling),
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def detection_table(dataset: Dataset, images: Sequence[ImageDetections]) -> DetectionTable:
    """Return the detections of all images as columns; boxes are not clipped, but the limits for clipping are kept."""
    index = {name: i for i, name in enumerate(dataset.ids)}
    image = np.concatenate([np.full(len(entry.scores), index[entry.id], np.int64) for entry in images] or [np.zeros(0, np.int64)])
    class_id = np.array([c for entry in images for c in entry.class_ids], np.int64)
    scores = np.array([s for entry in images for s in entry.scores], np.float64)
    boxes = np.array([b for entry in images for b in entry.boxes], np.float64).reshape(-1, 4)
    return DetectionTable(image, class_id, scores, boxes, dataset.limits)


def stage_milliseconds(images: Sequence[ImageDetections]) -> dict[str, float]:
    """Return the median milliseconds of an image by stage, over the images that were run."""
    times = np.array([entry.seconds for entry in images if entry.error is None and any(entry.seconds)])
    if not len(times):
        return {}
    return dict(zip(("read", "network", "post"), (float(t) for t in np.median(times, axis=0) * 1000), strict=True))
