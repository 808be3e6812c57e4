"""Fine-tuning of a decomposed network, with the original at the same input size as teacher."""

from pathlib import Path

from yolodsc.detection import default_geometry
from yolodsc.files import exists
from yolodsc.network import Network, at_size
from yolodsc.optimize.evaluator import SearchProgress
from yolodsc.optimize.settings import OptimizeSettings
from yolodsc.training import CHECKPOINT_FILE, FinetuneSettings, Trainer

RATE, BATCH = 1.5e-4, 8
"""Highest learning rate and images of a step: at higher rates decomposed networks first lose what the fits gave them, and a few
hundred images give enough steps in small batches only."""


def trained(
    student: Network, original: Network, paths: list[str], settings: OptimizeSettings, folder: Path, report: SearchProgress
) -> Network:
    """The student after ``settings.epochs`` epochs; an interrupted training goes on from its checkpoint in ``folder``."""
    _, height, width = student.input_shape
    trainer = Trainer(
        student,
        FinetuneSettings(epochs=settings.epochs, batch=min(BATCH, len(paths)), rate=RATE, seed=settings.seed),
        paths=paths,
        teacher=at_size(original, (width, height)),
        geometry=default_geometry(student),
        folder=folder,
        threads=settings.workers,
        resume=exists(folder / CHECKPOINT_FILE),
    )
    try:
        steps = max(trainer.steps, 1)
        return trainer.run(progress=lambda step, loss: report(f"fine-tuning: loss {loss.total:.3f}", step / steps, None)).network
    finally:
        trainer.close()
