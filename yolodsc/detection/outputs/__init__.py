"""Result writers, one file per format.

A writer receives the detections of one image at a time; `close` finishes the file, also after an interruption.
"""

from typing import Protocol

from yolodsc.detection.detections import Detections
from yolodsc.images import ImageArray


class Writer(Protocol):
    """The interface of all writers."""

    def add(self, detections: Detections, image: ImageArray) -> None:
        """Write one image's results."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        ...
