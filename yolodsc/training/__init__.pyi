from .data.augment import Augmentation as Augmentation
from .data.image_cache import training_pictures as training_pictures
from .data.labels import read_labels as read_labels
from .finetune.objective import Loss as Loss
from .finetune.settings import Settings as Settings
from .finetune.trainer import Progress as Progress, Trainer as Trainer
from .finetune.validation import Validation as Validation
from .model.initial import initialised as initialised
from .optimization.checkpoint import FILE as FILE
