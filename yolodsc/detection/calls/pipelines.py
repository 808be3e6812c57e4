"""The pipeline of a call: of whole images, or of images and their tiles; and its results, with their images."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from yolodsc.detection.calls.image_input import shown_path
from yolodsc.detection.network_input import InputReader
from yolodsc.detection.pipeline import ImageResult, Pipeline
from yolodsc.detection.postprocess import HeadDecoding, Postprocessor
from yolodsc.engine import Runner

if TYPE_CHECKING:
    from yolodsc.detection.tiles import TileGrid


def pipeline_of(
    reader: InputReader, runner: Runner, decoding: HeadDecoding, post: Postprocessor, tiling: "TileGrid | None"
) -> Pipeline:
    """Return the pipeline from files to detections."""
    if tiling is None:
        return Pipeline(reader, runner, decoding, post)
    from yolodsc.detection.tiles import TiledPipeline

    return TiledPipeline(reader, runner, decoding, post, tiling)


def tiling_of(tiles: str | tuple[int, int] | None, overlap: float) -> "TileGrid | None":
    """Return the tiling of the options; imported only if there is one."""
    if tiles is None:
        return None
    from yolodsc.detection.tiles import TileGrid

    return TileGrid.of(tiles, overlap)


def with_images(results: Generator[ImageResult]) -> Generator[ImageResult]:
    """The results, with each image in its detections; images in memory have no path."""
    with closing(results):
        for result in results:
            if result.detections is None:
                yield result
            else:
                found = replace(result.detections, image=result.image, path=shown_path(result.path))
                yield replace(result, detections=found)
