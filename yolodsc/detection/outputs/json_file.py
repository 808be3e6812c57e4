"""JSON in the schema of ``darknet detector test -out``, with escaped strings."""

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.text_output import JsonList
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray
from yolodsc.schemas import dump_json


class JsonWriter(JsonList):
    """Writes a list of frames, each as soon as it is added."""

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One frame, numbered from 1; frames of videos keep their numbers."""
        del image
        frame_id = self._entries + 1 if detections.frame is None else detections.frame
        frame = dump_json(detections.to_darknet(frame_id=frame_id), file=self._output.name, error=ImageError, indent=1)
        self._append([frame])
