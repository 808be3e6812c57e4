"""Everything that decides a training's result, besides networks and images."""

from dataclasses import dataclass, field
from math import inf

from yolodsc.errors import OptionError
from yolodsc.training.data.augment import Augmentation


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How a student is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the images, images a step.
    rate
        The highest learning rate.
    size
        Side of the square images that are trained on; the student's own input unless given.
    optimizer, momentum, decay
        ``adam`` or ``sgd``; weight decay is of kernels only.
    schedule, warmup
        ``cosine`` or ``steps``; epochs of a linear rise.
    average
        Decay of the moving average of weights, which is what is saved; 0 saves the last weights.
    clip
        Greatest norm of all gradients together; 0: any.
    heads, features, labels
        Weights of what the student loses: against the teacher's heads, against its maps, against labels.
    statistics
        Of batch norm: ``frozen`` or ``live``.
    augmentation
        In Darknet's terms.
    seed
        Of order, augmentation and initial weights.
    """

    epochs: float = 10.0
    batch: int = 32
    rate: float = 1e-4
    size: int | None = None
    optimizer: str = "adam"
    momentum: float = 0.9
    decay: float = 5e-4
    schedule: str = "cosine"
    warmup: float = 0.25
    average: float = 0.998
    clip: float = 10.0
    heads: float = 1.0
    features: float = 1.0
    labels: float = 0.0
    statistics: str = "frozen"
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.statistics not in {"frozen", "live"}:
            raise OptionError(f"--statistics {self.statistics}: wanted frozen or live")
        positive = {"--epochs": self.epochs, "--batch": self.batch, "--lr": self.rate}
        for name, value in positive.items():
            if not 0 < value < inf:
                raise OptionError(f"{name} {value:g}: wanted a number above 0")
        others = {"--decay": self.decay, "--warmup": self.warmup, "--clip": self.clip}
        how = self.augmentation
        augmentation = {"--jitter": how.jitter, "--hue": how.hue, "--saturation": how.saturation, "--exposure": how.exposure}
        weights = {"--heads": self.heads, "--features": self.features, "--label-weight": self.labels}
        for name, value in (others | weights | augmentation | {"--sharpen": how.sharpen}).items():
            if not 0 <= value < inf:
                raise OptionError(f"{name} {value:g}: wanted a number, 0 or more")
        shares = {"--momentum": self.momentum, "--average": self.average}
        for name, value in shares.items():
            if not 0 <= value < 1:
                raise OptionError(f"{name} {value:g}: wanted 0 or more, less than 1")
