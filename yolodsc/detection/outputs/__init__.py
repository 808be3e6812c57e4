"""Result writers, one file per format.

A writer takes one image's detections after the other; `close` puts what was written in place, also after an interruption.
"""

from typing import Protocol

from yolodsc.detection.detections import Detections
from yolodsc.images import ImageArray


class Writer(Protocol):
    """What every format does."""

    def add(self, detections: Detections, image: ImageArray) -> None:
        """Write one image's results."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...

    def abandon(self) -> None:
        """Put nothing in place any more."""
        ...
