"""Copies of the images with boxes drawn on them, under the same names."""

from collections.abc import Callable
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.detection.video.kinds import file_name
from yolodsc.images import WRITABLE_EXTENSIONS, ImageArray, write_image


class AnnotatedWriter:
    """Writes a copy of each image with its detections, in the same format if it can be written, else as PNG."""

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False) -> None:
        self._names = OutputNames(folder, reads=reads)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One file."""
        suffix = Path(file_name(detections.path or "")).suffix
        kept = suffix if suffix.lower() in WRITABLE_EXTENSIONS else ".png"
        write_image(self._names.path(detections.path, suffix=kept), detections.draw(image))

    def video_path(self, source: str) -> Path:
        """Return the path for the annotated video of a source."""
        return self._names.path(source, suffix=".mp4")

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Do nothing: each file is complete as soon as it is written."""
