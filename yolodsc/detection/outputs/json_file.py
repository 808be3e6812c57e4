"""JSON in the schema of ``darknet detector test -out``, with escaped strings."""

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.text_output import Target, TextOutput
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json


class JsonWriter:
    """Writes a list of frames, each as soon as it is added."""

    def __init__(self, target: Target) -> None:
        self._output = TextOutput(target)
        self._output.write("[")
        self._frames = 0

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One frame, numbered from 1; frames of videos keep their numbers."""
        del image
        separator = ",\n" if self._frames else "\n"
        self._frames += 1
        frame_id = self._frames if detections.frame is None else detections.frame
        frame = dump_json(detections.to_darknet(frame_id=frame_id), file=self._output.name, error=ImageError, indent=1)
        self._output.write(separator + frame)

    def close(self) -> None:
        """End the list and finish the file."""
        if not self._output.closed:
            self._output.write("\n]\n")
        self._output.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        self._output.abandon()
