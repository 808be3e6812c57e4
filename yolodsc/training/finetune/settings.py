"""Everything that determines the result of a training, besides networks and images."""

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
        Number of passes over the images; images of a step.
    rate
        The highest learning rate.
    size
        Side of square training images; the default is the input of the student.
    optimizer, momentum, decay
        ``adam`` or ``sgd``; weight decay applies to ``weights`` only.
    schedule, warmup
        ``cosine`` or ``steps``; number of epochs with a linear increase.
    average
        Decay of the moving average of weights, which is saved; 0 saves the last weights.
    clip
        Largest norm of all gradients together; 0 sets no limit.
    heads, features, labels
        Weights of the losses: of the teacher's heads, of its feature maps, of labels.
    statistics
        Statistics of batch norm: ``frozen`` or ``live``.
    multiscale
        Whether the size of images changes every ten steps, from 1/1.4 to 1.4 times ``size``.
    augmentation
        Parameters as in Darknet.
    seed
        Seed of the order, augmentation and initial weights.
    precision
        ``f32``, or ``int8``: weights and tensors are rounded as a quantization says, and their scales are learned.
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
    multiscale: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0
    precision: str = "f32"

    def __post_init__(self) -> None:
        if self.statistics not in {"frozen", "live"}:
            raise OptionError(f"statistics={self.statistics}: expected frozen or live", parameter="statistics")
        if self.precision not in {"f32", "int8"}:
            raise OptionError(f"precision={self.precision}: expected f32 or int8", parameter="precision")
        if self.precision == "int8" and self.statistics != "frozen":
            raise OptionError("statistics=live: expected frozen statistics with precision=int8", parameter="statistics")
        for name in ("epochs", "batch", "rate"):
            value = getattr(self, name)
            if not 0 < value < inf:
                raise OptionError(f"{name}={value:g}: expected a number above 0", parameter=name)
        own = {name: getattr(self, name) for name in ("decay", "warmup", "clip", "heads", "features", "labels")}
        drawn = {
            name: getattr(self.augmentation, name) for name in ("jitter", "hue", "saturation", "exposure", "sharpen", "mosaic")
        }
        for name, value in (own | drawn).items():
            if not 0 <= value < inf:
                raise OptionError(f"{name}={value:g}: expected a number, 0 or more", parameter=name)
        if self.augmentation.mosaic > 1:
            raise OptionError(f"mosaic={self.augmentation.mosaic:g}: expected 0 to 1", parameter="mosaic")
        for name in ("momentum", "average"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise OptionError(f"{name}={value:g}: expected 0 or more, less than 1", parameter=name)
