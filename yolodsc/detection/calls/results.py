"""Results of many images, with their images."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from yolodsc.detection.calls.image_input import shown_path
from yolodsc.detection.pipeline import ImageResult


def with_images(results: Generator[ImageResult]) -> Generator[ImageResult]:
    """The results, with each image in its detections; images in memory have no path."""
    with closing(results):
        for result in results:
            if result.detections is None:
                yield result
            else:
                found = replace(result.detections, image=result.image, path=shown_path(result.path))
                yield replace(result, detections=found)
