"""Small objects in large images: the network sees the whole image and overlapping tiles of it, and suppression merges the boxes.

`TileGrid` turns one image into views and the candidates of the views into those of the image; `TiledPipeline` runs the views.
"""

import re
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from time import perf_counter

import numpy as np
from msgspec.structs import replace

from yolodsc.arrays import Shape
from yolodsc.detection.detections import Detections
from yolodsc.detection.network_input import NetworkInput
from yolodsc.detection.pipeline import ImageResult, Pipeline, StageSeconds
from yolodsc.detection.read_ahead import Ticket, in_order
from yolodsc.errors import ImageError, OptionError
from yolodsc.images import ImageArray
from yolodsc.network import Candidates, concatenated, to_xyxy

MAX_TILES = 64
"""Maximum number of rows or columns."""

AUTO_REDUCTION = 3.0
"""``auto`` takes so many tiles that each is reduced by at most this factor."""

CUT = 0.01
"""A box that ends within this share of its tile from an edge inside the image is taken to be cut off by the edge."""

IMAGES_AHEAD = 2
"""Images that are read while the tiles of another run."""


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of an image in pixels: columns ``left`` to ``right``, rows ``top`` to ``bottom``, the last ones not included."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, image: ImageArray) -> ImageArray:
        """The pixels (H, W, C) of the rectangle."""
        return image[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Rows and columns of tiles, or None for as many as the image's size suggests.

    Attributes
    ----------
    grid
        Rows and columns.
    overlap
        Share of a tile's width and height that neighbours have in common.
    """

    grid: tuple[int, int] | None
    overlap: float = 0.2

    @classmethod
    def of(cls, tiles: str | tuple[int, int], overlap: float = 0.2) -> "TileGrid":
        """Return the tiling for ``auto``, ``2x3`` (rows x columns) or a pair of numbers.

        Raises
        ------
        OptionError
            The text is neither, a number lies outside 1..64, or the overlap outside 0..0.9.
        """
        if not 0 <= overlap <= 0.9:
            raise OptionError(f"tile_overlap={overlap:g}: expected 0 to 0.9", parameter="tile_overlap")
        if tiles == "auto":
            return cls(None, overlap)
        parts = tiles if isinstance(tiles, tuple) else re.split("[xX×]", tiles)
        words = [str(part).strip() for part in parts]
        if len(words) != 2 or not all(re.fullmatch("[0-9]{1,2}", word) and 0 < int(word) <= MAX_TILES for word in words):
            given = "x".join(words)
            raise OptionError(
                f"tiles={given}: expected ROWSxCOLUMNS, such as 2x3 (1 to {MAX_TILES} each), or auto", parameter="tiles"
            )
        return cls((int(words[0]), int(words[1])), overlap)

    def views(self, image: ImageArray, shape: Shape) -> list[View]:
        """The whole image, then its tiles row by row; a single tile is the whole image.

        Parameters
        ----------
        shape
            The network's input, which determines the tiles of ``auto``.
        """
        height, width = image.shape[:2]
        rows, columns = self.grid or (_count(height, shape.height, self.overlap), _count(width, shape.width, self.overlap))
        lines, across = _ranges(height, rows, self.overlap), _ranges(width, columns, self.overlap)
        tiles = [View(left, top, right, bottom) for top, bottom in lines for left, right in across]
        return [View(0, 0, width, height), *(tiles if len(tiles) > 1 else [])]

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.grid)) if self.grid else 'auto'}, overlap {self.overlap:g}"


def merged(parts: Sequence[Candidates], views: Sequence[View]) -> Candidates:
    """Return the candidates of all views relative to the first one, the whole image, without boxes that a tile's edge cuts off."""
    whole = views[0]
    return concatenated([_moved(_uncut(part, view, whole), view, whole) for part, view in zip(parts, views, strict=True)])


class TiledPipeline(Pipeline, eq=False):
    """A pipeline that runs the network on views of each image.

    Attributes
    ----------
    tiling
        The views.
    """

    tiling: TileGrid

    def one(self, given: NetworkInput, *, path: str | None = None) -> Detections:
        """Return the detections of one image."""
        with ThreadPoolExecutor(self.runner.streams, "tile") as workers:
            return self._detections(given, workers, path)[0]

    def many(self, paths: Iterable[str]) -> Generator[ImageResult]:
        """Return the results of many files in their order; the views of an image run on all streams."""
        with (
            ThreadPoolExecutor(self.runner.streams, "tile") as workers,
            ThreadPoolExecutor(IMAGES_AHEAD, "image") as images,
            closing(
                in_order(paths, lambda path, ticket: images.submit(self._image, path, ticket, workers), depth=IMAGES_AHEAD + 1)
            ) as results,
        ):
            yield from results

    def of_pixels(self, pixels: ImageArray, *, path: str, bgr: bool = False) -> tuple[Detections, StageSeconds]:
        """Return the detections of an image in memory (H, W, C), in BGR order if ``bgr``."""
        given = self.reader.fit(pixels[..., ::-1] if bgr else pixels)
        with ThreadPoolExecutor(self.runner.streams, "tile") as workers:
            detections, _, stages = self._detections(given, workers, path)
        return detections, stages

    def _image(self, path: str, ticket: Ticket, workers: ThreadPoolExecutor) -> ImageResult:
        try:
            with ticket:
                given = self.reader.read(path, ticket=ticket)
        except ImageError as error:
            return ImageResult(path, error=error)
        detections, candidates, stages = self._detections(given, workers, path)
        return ImageResult(path, detections, candidates, given.image, stages=stages)

    def _detections(
        self, given: NetworkInput, workers: ThreadPoolExecutor, path: str | None
    ) -> tuple[Detections, Candidates, StageSeconds]:
        """Run all views and merge them; the times are those of all threads together."""
        views = self.tiling.views(given.image, self.reader.network.input_shape)
        done = list(workers.map(lambda view: self._view(given, view, whole=view is views[0]), views))
        start = perf_counter()
        candidates = merged([part for part, _ in done], views)
        height, width = given.image.shape[:2]
        detections = self.postprocessor.detections(candidates, width=width, height=height, path=path)
        read, network, post = (sum(column) for column in zip(*((t.read, t.network, t.post) for _, t in done), strict=True))
        return detections, candidates, StageSeconds(given.seconds + read, network, post + perf_counter() - start)

    def _view(self, given: NetworkInput, view: View, *, whole: bool) -> tuple[Candidates, StageSeconds]:
        """The candidates of one view, relative to it."""
        pixels = view.of(given.image)
        fitted = given if whole else self.reader.fit(np.ascontiguousarray(pixels))
        read = 0.0 if whole else fitted.seconds
        height, width = pixels.shape[:2]
        with self.decoding.maps() as maps:
            start = perf_counter()
            self.runner.run_into(fitted.x, maps.outputs)
            between = perf_counter()
            found = self.decoding.candidates(self.runner, maps, self.postprocessor, fitted.placement, width=width, height=height)
            return found, StageSeconds(read, between - start, perf_counter() - between)


def _count(length: int, side: int, overlap: float) -> int:
    """The smallest number of tiles that are at most `AUTO_REDUCTION` times as long as the network's input."""
    longest = AUTO_REDUCTION * side
    return 1 if length <= longest else min(ceil((length / longest - overlap) / (1 - overlap)), MAX_TILES, length)


def _ranges(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Starts and ends of ``count`` ranges of equal length that overlap and cover ``length`` pixels."""
    count = min(count, length)
    size = length / (count - (count - 1) * overlap)
    starts = [number * size * (1 - overlap) for number in range(count)]
    return [(int(start), min(max(round(start + size), int(start) + 1), length)) for start in starts]


def _uncut(part: Candidates, view: View, whole: View) -> Candidates:
    """The candidates that do not end at an edge of the view inside the image: neighbours see their objects in full."""
    low, high = to_xyxy(part.boxes_xywh)[:, :2], to_xyxy(part.boxes_xywh)[:, 2:]
    cut = np.zeros(len(part), bool)
    for axis, (inside_low, inside_high) in enumerate(
        ((view.left > whole.left, view.right < whole.right), (view.top > whole.top, view.bottom < whole.bottom))
    ):
        cut |= inside_low & (low[:, axis] < CUT) | inside_high & (high[:, axis] > 1 - CUT)
    if not cut.any():
        return part
    return Candidates(part.boxes_xywh[~cut], part.objectness[~cut], part.probabilities[~cut])


def _moved(part: Candidates, view: View, whole: View) -> Candidates:
    """Boxes relative to the whole image."""
    if view == whole:
        return part
    size = np.array([view.right - view.left, view.bottom - view.top] * 2, np.float32)
    offset = np.array([view.left, view.top, 0, 0], np.float32)
    image = np.array([whole.right, whole.bottom] * 2, np.float32)
    return replace(part, boxes_xywh=(part.boxes_xywh * size + offset) / image)
