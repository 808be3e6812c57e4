"""Target: the state of a training, by way of a trainer that resumes from it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.training.scenes import student, write_images
from tools.fuzzing import scratch
from tools.fuzzing.archives import mutated_zip
from tools.fuzzing.target import Target
from yolodsc.training.finetune import trainer
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.trainer import Trainer
from yolodsc.training.optimization.checkpoint import CHECKPOINT_FILE

DIGEST = "fuzz"
"""Of the options that the checkpoints of the corpus are of."""

_SETTINGS = FinetuneSettings(epochs=2, batch=2, rate=1e-3, labels=1.0, average=0.9)


def resume(data: bytes) -> None:
    """A trainer takes the state up, or refuses it."""
    folder = scratch.folder("training")
    (folder / CHECKPOINT_FILE).write_bytes(data)
    with _trainer(folder, resume=True) as own, closing(own):
        own.network()


def seed() -> bytes:
    """The checkpoint of a training that has not begun."""
    folder = scratch.folder("training")
    with _trainer(folder, resume=False) as own, closing(own):
        own.checkpoint()
    return (folder / CHECKPOINT_FILE).read_bytes()


@contextmanager
def _trainer(folder: Path, *, resume: bool) -> Iterator[Trainer]:
    """A trainer whose options have always the same digest."""
    scenes = scratch.folder("scenes")
    if not (scenes / "images").exists():
        write_images(scenes, 2)
    paths = sorted(str(path) for path in (scenes / "images").iterdir())
    labels = [np.array([[0, 0.5, 0.5, 0.3, 0.3]], np.float32)] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "training_digest", lambda *_: DIGEST)
        yield Trainer(student(), _SETTINGS, paths=paths, labels=labels, folder=folder, resume=resume)


def prepare() -> None:
    """Compile the layers."""
    resume(seed())


TOKENS = (b"weights/0/", b"optimizer/", b"average/", b'"step": ', b'"layers": ', b'"epochs": [')
TARGETS = (Target(name="checkpoint", one=resume, mutate=mutated_zip, tokens=TOKENS, prepare=prepare),)
