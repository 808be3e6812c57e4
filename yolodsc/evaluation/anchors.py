"""Anchors of a dataset: k-means on the sizes of its boxes with 1 - IoU as the distance (``detector.c: calc_anchors``)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.evaluation.plots import require_matplotlib
from yolodsc.files import replacing

RESTARTS = 5
"""Number of starts from different boxes; the best result counts. Darknet starts once."""

MAX_ITERATIONS = 300
"""Limit of iterations of one start; typical data converge in under 100."""

_BLOCK = 2**20
"""Number of overlaps that are computed at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Anchors and how well they fit.

    Attributes
    ----------
    sizes : (K, 2)
        Width and height in pixels of the network's input, by area.
    average_iou
        Mean over the boxes of the IoU with the best anchor, both centred at one point: Darknet's "avg IoU".
    counts : (K,)
        Number of boxes of which each anchor is the best.
    """

    sizes: Doubles
    average_iou: float
    counts: tuple[int, ...]


def box_sizes(dataset: Dataset, *, width: int, height: int, letterbox: bool = False) -> Doubles:
    """Width and height (N, 2) of the boxes of a dataset, without difficult ones, in pixels of the network's input.

    Parameters
    ----------
    width, height
        Of the network's input.
    letterbox
        Images keep their aspect in the input; otherwise they are stretched to it, as Darknet does.

    Raises
    ------
    DatasetError
        The size of an image is unknown, or there is no box.
    """
    truth = dataset.ground_truth
    boxes, images = truth.boxes_xyxy[~truth.difficult], truth.image[~truth.difficult]
    sides = boxes[:, 2:] - boxes[:, :2]
    sizes = np.where(np.isnan(dataset.sizes), 1.0, dataset.sizes) if dataset.relative else dataset.sizes
    if np.isnan(sizes[images]).any():
        unknown = dataset.ids[images[np.isnan(sizes[images]).any(axis=1)][0]]
        raise DatasetError(
            f"{unknown}: the size of the image is unknown; expected the images beside the labels, or a folder of images"
        )
    scale = np.array([width, height]) / sizes[images]  # (N, 2)
    if letterbox:
        scale = np.repeat(scale.min(axis=1, keepdims=True), 2, axis=1)
    found: Doubles = (sides * scale)[(sides > 0).all(axis=1)]
    if not len(found):
        raise DatasetError("the dataset has no boxes; expected at least one")
    return found


def fit_anchors(sizes: Doubles, count: int, *, seed: int = 0) -> Anchors:
    """Return ``count`` anchors for boxes of these sizes (N, 2).

    Each start takes boxes as anchors, the next one with a probability that grows with its distance from those before
    (k-means++, Arthur 2007). Then boxes join their best anchor, and each anchor becomes the mean of its boxes, until nothing
    changes.

    Raises
    ------
    DatasetError
        There are fewer different sizes than anchors.
    """
    different = np.unique(sizes, axis=0)
    if len(different) < count:
        raise DatasetError(f"{len(different)} different sizes of boxes; expected at least one for each of {count} anchors")
    rng = np.random.default_rng(seed)
    results = [measured_anchors(_clustered(sizes, _start(sizes, count, rng)), sizes) for _ in range(RESTARTS)]
    return max(results, key=lambda found: found.average_iou)


def measured_anchors(anchors: Doubles, sizes: Doubles) -> Anchors:
    """Return given anchors (K, 2), by area, with the boxes (N, 2) that they fit."""
    anchors = anchors[np.argsort(anchors.prod(axis=1), kind="stable")]
    best, overlap = _best(anchors, sizes)
    counts = np.bincount(best, minlength=len(anchors))
    return Anchors(anchors, float(overlap.mean()), tuple(counts.tolist()))


def draw_anchors(path: Path, found: Anchors, sizes: Doubles, *, width: int, height: int) -> None:
    """Write a PNG: boxes are points, anchors rectangles from the corner. A `MissingExtraError` is raised without matplotlib."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(6, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    best, _ = _best(found.sizes, sizes)
    axes.scatter(sizes[:, 0], sizes[:, 1], c=best, cmap="tab20", s=4, alpha=0.4, linewidths=0)
    for w, h in found.sizes:
        axes.add_patch(Rectangle((0, 0), w, h, fill=False, linewidth=0.8))
        axes.annotate(f"{w:.0f}x{h:.0f}", (w, h), fontsize=8)
    axes.set(xlim=(0, width), ylim=(0, height), xlabel="width, pixels of the input", ylabel="height")
    axes.set_title(f"{len(found.sizes)} anchors, average IoU {100 * found.average_iou:.2f} %, {len(sizes)} boxes", fontsize=10)
    with replacing(path, error=DatasetError) as file:
        figure.savefig(file, format="png")


def _start(sizes: Doubles, count: int, rng: np.random.Generator) -> Doubles:
    """Boxes that serve as the first anchors (K, 2)."""
    chosen = [sizes[rng.integers(len(sizes))]]
    while len(chosen) < count:
        distance = 1 - _best(np.array(chosen), sizes)[1]
        total = distance.sum()
        weights = distance / total if total > 0 else None
        chosen.append(sizes[rng.choice(len(sizes), p=weights)])
    return np.array(chosen)


def _clustered(sizes: Doubles, anchors: Doubles) -> Doubles:
    """Anchors (K, 2) that are the means of their boxes; an anchor without boxes takes the box that fits worst."""
    previous = np.full(len(sizes), -1)
    for _ in range(MAX_ITERATIONS):
        best, overlap = _best(anchors, sizes)
        if np.array_equal(best, previous):
            break
        previous = best
        counts = np.bincount(best, minlength=len(anchors))
        sums = np.stack([np.bincount(best, sizes[:, axis], minlength=len(anchors)) for axis in (0, 1)], axis=1)
        anchors = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], anchors)
        for empty, box in zip(np.flatnonzero(counts == 0), np.argsort(overlap), strict=False):
            anchors[empty] = sizes[box]
    return anchors


def _best(anchors: Doubles, sizes: Doubles) -> tuple[np.ndarray, Doubles]:
    """The best anchor of each box (N,), and their IoU (N,)."""
    rows = max(_BLOCK // len(anchors), 1)
    best, overlap = np.empty(len(sizes), np.int64), np.empty(len(sizes))
    for first in range(0, len(sizes), rows):
        part = sizes[first : first + rows, None]  # (n, 1, 2)
        common = np.minimum(part, anchors).prod(axis=2)  # (n, K)
        ious = common / (part.prod(axis=2) + anchors.prod(axis=1) - common)
        best[first : first + rows] = ious.argmax(axis=1)
        overlap[first : first + rows] = ious.max(axis=1)
    return best, overlap
