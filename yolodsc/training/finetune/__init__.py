"""Fine-tuning: a student network learns from a teacher, from labels, or from both.

A `Trainer` takes networks, images and `FinetuneSettings`, and returns a network. Checkpoints and curves are written to one folder.
"""

from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.trainer import FinetuneResult, Trainer

__all__ = ["FinetuneResult", "FinetuneSettings", "Trainer"]
