"""JSON in the schema of ``darknet detector test -out``, with escaped strings."""

import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.errors import ImageError
from yolodsc.files import replacing
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json


class JsonWriter:
    """Writes a list of frames, each as soon as it is added."""

    def __init__(self, path: str | Path) -> None:
        self._path, self._stack = path, ExitStack()
        self._file = self._stack.enter_context(replacing(path, error=ImageError, mode="w"))
        self._file.write("[")
        self._frames = 0

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One frame, numbered from 1; frames of videos keep their numbers."""
        del image
        separator = ",\n" if self._frames else "\n"
        self._frames += 1
        frame_id = self._frames if detections.frame is None else detections.frame
        frame = dump_json(detections.to_darknet(frame_id=frame_id), file=self._path, error=ImageError, indent=1)
        try:
            self._file.write(separator + frame)
        except OSError:  # the file may end within a frame: it goes, and the error names it
            self._stack.__exit__(*sys.exc_info())
            raise

    def close(self) -> None:
        """End the list and finish the file."""
        if not self._file.closed:
            self._file.write("\n]\n")
        self._stack.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        with suppress(ImageError), self._stack:
            raise ImageError
