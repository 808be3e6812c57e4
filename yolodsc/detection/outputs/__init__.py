"""Result writers, one file per format.

A writer takes one picture's detections after the other; `close` puts what was written in place, also after an interruption.
"""

from typing import Protocol

from yolodsc.detection.detections import Detections
from yolodsc.images import ImageArray


class Writer(Protocol):
    """What every format does."""

    def add(self, detections: Detections, picture: ImageArray) -> None:
        """Write one picture's results."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...

    def abandon(self) -> None:
        """Put nothing in place any more."""
        ...
