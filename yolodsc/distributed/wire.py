"""The results of one chunk on their way to the client: a few arrays for all images together."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.detection import Detections, ImageResult, StageSeconds
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray
from yolodsc.network import Candidates
from yolodsc.values import Value


class PackedResults(Value, eq=False, kw_only=True):
    """Results of N images with D detections, which come from M candidates of K classes.

    Attributes
    ----------
    sizes : (N, 2) int32
        Width and height of each image.
    counts : (N, 2) int32
        Detections and candidates of each image.
    seconds : (N, 3) float64
        Time by stage.
    errors
        Messages by position, for images without detections.
    boxes : (D, 4) float32
    numbers : (D, 2) float32
        Score and objectness of each detection.
    ids : (D, 2) int32
        Class, and candidate within the image, of each detection.
    candidates : (M, 5) float32
        Box and objectness of each candidate that became a detection.
    cells : (P, 2) int32
        Candidate and class of each probability above 0.
    probabilities : (P,) float32
    classes
        K.
    images
        The images, if they are sent.
    """

    sizes: NDArray[np.int32]
    counts: NDArray[np.int32]
    seconds: NDArray[np.float64]
    errors: dict[int, str]
    boxes: Array
    numbers: Array
    ids: NDArray[np.int32]
    candidates: Array
    cells: NDArray[np.int32]
    probabilities: Array
    classes: int
    images: tuple[ImageArray | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = [getattr(self, name) for name in self.__struct_fields__]
        return sum(array.nbytes for array in [*arrays, *(self.images or ())] if isinstance(array, np.ndarray))


class _Row(Value, eq=False):
    """One image: its detections, and the candidates that they index after those that became nothing are left out."""

    found: Detections
    ids: NDArray[np.int64]
    candidates: Candidates


def pack(results: Sequence[ImageResult], *, images: bool = False) -> PackedResults:
    """Return the results of one chunk as arrays; ``images`` keeps the images too."""
    rows = [_row(result) for result in results]
    found = [row for row in rows if row is not None]
    sizes = [(row.found.width, row.found.height) if row else (0, 0) for row in rows]
    counts = [(len(row.found), len(row.candidates)) if row else (0, 0) for row in rows]
    seconds = [(r.stages.read, r.stages.network, r.stages.post) for r in results]
    joined = _joined([row.candidates.probabilities for row in found])  # (M, K)
    cells = np.argwhere(joined).astype(np.int32)
    return PackedResults(
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        counts=np.array(counts, np.int32).reshape(-1, 2),
        seconds=np.array(seconds, np.float64).reshape(-1, 3),
        errors={n: str(result.error) for n, result in enumerate(results) if result.detections is None},
        boxes=_joined([row.found.boxes_xyxy for row in found], 4),
        numbers=_joined([np.stack([row.found.scores, row.found.objectness], axis=1) for row in found], 2),
        ids=_joined([np.stack([row.found.class_ids, row.ids], axis=1) for row in found], 2).astype(np.int32),
        candidates=_joined([np.column_stack([c.boxes_xywh, c.objectness]) for c in (row.candidates for row in found)], 5),
        cells=cells,
        probabilities=joined[cells[:, 0], cells[:, 1]],
        classes=joined.shape[1],
        images=tuple(result.image for result in results) if images else None,
    )


def unpack(packed: PackedResults, paths: Sequence[str], names: tuple[str, ...]) -> Iterator[ImageResult]:
    """Yield the results of one chunk, in the order of its paths; images that were not sent are None.

    Detections equal those of `Detector.many` to the bit; of the candidates, those that became detections are left.
    """
    ends = np.cumsum(packed.counts, axis=0)
    probabilities = np.zeros((len(packed.candidates), packed.classes), np.float32)  # (M, K)
    probabilities[packed.cells[:, 0], packed.cells[:, 1]] = packed.probabilities
    class_ids, candidate_ids = (np.ascontiguousarray(column, np.int64) for column in packed.ids.T)
    for n, path in enumerate(paths):
        image = None if packed.images is None else packed.images[n]
        if n in packed.errors:
            yield ImageResult(path, error=ImageError(packed.errors[n]))
            continue
        one, of = (slice(int(end - count), int(end)) for end, count in zip(ends[n], packed.counts[n], strict=True))
        width, height = map(int, packed.sizes[n])
        scores, objectness = (np.ascontiguousarray(column) for column in packed.numbers[one].T)
        found = Detections(
            packed.boxes[one], scores, objectness, class_ids[one], names, width, height, path, candidate_ids[one], image=image
        )
        candidates = Candidates(packed.candidates[of, :4], packed.candidates[of, 4], probabilities[of])
        yield ImageResult(path, found, candidates, image, stages=StageSeconds(*map(float, packed.seconds[n])))


def _row(result: ImageResult) -> _Row | None:
    """The detections of one image with the candidates that they come from; None if there are none."""
    found, candidates = result.detections, result.candidates
    if found is None:
        return None
    if candidates is None or found.candidate_ids is None:
        return _Row(found, np.zeros(len(found), np.int64), Candidates(*(np.zeros((0, *s), np.float32) for s in ((4,), (), (0,)))))
    kept, ids = np.unique(found.candidate_ids, return_inverse=True)
    parts = (candidates.boxes_xywh[kept], candidates.objectness[kept], candidates.probabilities[kept])
    return _Row(found, ids.reshape(-1), Candidates(*parts))


def _joined(parts: Sequence[NDArray[Any]], columns: int = 0) -> NDArray[Any]:
    """All rows below each other; (0, columns) without parts."""
    return np.concatenate(parts) if parts else np.zeros((0, columns), np.float32)
