"""The objective of a training for each size of its images."""

from yolodsc.arrays import Array
from yolodsc.network import Network
from yolodsc.training.data.batches import Batch
from yolodsc.training.finetune.objective import Loss, Objective
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.teacher import Teacher

Size = tuple[int, int]


class Objectives:
    """The loss against teacher and labels at any size of images; the grids of heads, and the teacher, belong to one size each.

    Attributes
    ----------
    parts
        Descriptions of the parts of the loss.
    outputs
        Indices of the student's layers whose outputs the losses read.

    Raises
    ------
    YolodscError
        The networks do not match, or there is nothing to learn from.
    """

    def __init__(self, student: Network, teacher: Network | None, settings: FinetuneSettings, *, threads: int) -> None:
        self._student, self._teacher, self._settings, self._threads = student, teacher, settings, threads
        self._teachers: list[Teacher] = []
        self._found: dict[Size, Objective] = {}
        first = self._at((student.input_shape.height, student.input_shape.width))
        self.parts, self.outputs = first.parts, first.outputs

    def __call__(self, batch: Batch, outputs: dict[int, Array]) -> Loss:
        """Return the loss of the student's outputs by layer index on the batch."""
        height, width = batch.images.shape[2:]
        return self._at((height, width))(batch, outputs)

    def close(self) -> None:
        """End threads and release memory."""
        for objective in self._found.values():
            objective.close()
        for teacher in self._teachers:
            teacher.close()

    def _at(self, size: Size) -> Objective:
        if size not in self._found:
            student, teacher = self._student.resized(*size), None
            if self._teacher:
                teacher = Teacher(self._teacher.resized(*size), student, threads=self._threads)
                self._teachers.append(teacher)
            self._found[size] = Objective(student, teacher, self._settings, threads=self._threads)
        return self._found[size]
