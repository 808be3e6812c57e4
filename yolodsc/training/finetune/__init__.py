"""Fine-tuning: a student network learns from a teacher, from labels, or from both.

A `Trainer` takes networks, images and `FinetuneSettings`, and returns an ordinary network. All intermediate files
(checkpoints, curves) lie in one folder.
"""

from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.trainer import Trainer, Training

__all__ = ["FinetuneSettings", "Trainer", "Training"]
