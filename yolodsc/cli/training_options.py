"""Options that decide the result of a training, besides networks and images."""

from typing import Annotated

import typer

from yolodsc.network import Network
from yolodsc.training import Augmentation, FinetuneSettings
from yolodsc.values import Value

DARKNET_JITTER = 0.2
"""Of heads whose cfg has no ``jitter`` (``parser.c: parse_yolo``)."""
LARGEST_JITTER = 0.45
"""Two opposite sides of an image must not meet."""
RATES = {"f32": 1e-4, "int8": 3e-6}
"""Default learning rates by precision: a calibrated network is near its optimum, and higher rates move it away."""


class OptimizerOptions(Value, kw_only=True):
    """Optimizer, schedule and averaging."""

    lr: Annotated[float | None, typer.Option(help="Highest learning rate.", show_default="1e-4; 3e-6 with --precision int8")] = None
    batch: Annotated[int, typer.Option(min=1, help="Number of images in each step.")] = 32
    epochs: Annotated[float, typer.Option(help="Number of passes over the images.")] = 10
    optimizer: Annotated[str, typer.Option(help="Optimizer: adam or sgd.")] = "adam"
    momentum: Annotated[float, typer.Option(help="Momentum of sgd, or beta1 of adam.")] = 0.9
    decay: Annotated[float, typer.Option(help="Weight decay of kernels.")] = 5e-4
    schedule: Annotated[str, typer.Option(help="Schedule of the learning rate: cosine or steps.")] = "cosine"
    warmup: Annotated[float, typer.Option(min=0, help="Number of epochs in which the learning rate rises from 0.")] = 0.25
    average: Annotated[
        float, typer.Option(help="Decay of the moving average of the weights, which is saved; 0 saves the last weights.")
    ] = 0.998
    clip: Annotated[float, typer.Option(min=0, help="Largest norm of all gradients together; 0 sets no limit.")] = 10.0
    statistics: Annotated[str, typer.Option(help="Statistics of batch norm: frozen or live.")] = "frozen"
    seed: Annotated[int, typer.Option(min=0, help="Seed of order, augmentation and initial weights.")] = 0


class LossOptions(Value, kw_only=True):
    """Weights of the parts of the loss."""

    heads: Annotated[float, typer.Option(min=0, help="Weight of the difference from the teacher's heads.")] = 1.0
    features: Annotated[float, typer.Option(min=0, help="Weight of the difference from the teacher's feature maps.")] = 1.0
    label_weight: Annotated[float, typer.Option(min=0, help="Weight of the labels.")] = 0.1


class AugmentationOptions(Value, kw_only=True):
    """Random changes of the images, in Darknet's terms."""

    flip: Annotated[bool, typer.Option(help="Mirror half of the images.")] = True
    jitter: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=LARGEST_JITTER,
            help="Largest shift of each side, as a share of the image.",
            show_default="that of the student's cfg",
        ),
    ] = None
    hue: Annotated[float, typer.Option(min=0, max=0.5, help="Largest shift of the hue.")] = 0.1
    saturation: Annotated[float, typer.Option(min=1, help="Largest factor of the saturation.")] = 1.5
    exposure: Annotated[float, typer.Option(min=1, help="Largest factor of the brightness.")] = 1.5
    sharpen: Annotated[
        float, typer.Option(min=0, help="Largest amount of sharpening; 1.2 suits images that were reduced with smoothing.")
    ] = 0
    mosaic: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="P", help="Fraction of samples that show parts of four images; 0.5 is Darknet's mosaic=1."
        ),
    ] = 0
    multiscale: Annotated[
        bool, typer.Option("--multiscale", help="Change the size of images every ten steps, by up to 1.4; Darknet's random=1.")
    ] = False

    def augmentation(self, student: Network) -> Augmentation:
        """The settings of the library; without ``--jitter`` that of the student's cfg, with which it was trained."""
        jitter = min(_jitter_of(student), LARGEST_JITTER) if self.jitter is None else self.jitter
        return Augmentation(self.flip, jitter, self.hue, self.saturation, self.exposure, self.sharpen, self.mosaic)


def training_settings(
    training: OptimizerOptions,
    loss: LossOptions,
    changes: AugmentationOptions,
    student: Network,
    *,
    size: int | None,
    labels: bool,
    precision: str,
) -> FinetuneSettings:
    """The settings of the library; labels have no weight if they are not read."""
    return FinetuneSettings(
        epochs=training.epochs,
        batch=training.batch,
        rate=RATES.get(precision, RATES["f32"]) if training.lr is None else training.lr,
        size=size,
        optimizer=training.optimizer,
        momentum=training.momentum,
        decay=training.decay,
        schedule=training.schedule,
        warmup=training.warmup,
        average=training.average,
        clip=training.clip,
        heads=loss.heads,
        features=loss.features,
        labels=loss.label_weight if labels else 0.0,
        statistics=training.statistics,
        multiscale=changes.multiscale,
        augmentation=changes.augmentation(student),
        seed=training.seed,
        precision=precision,
    )


def _jitter_of(network: Network) -> float:
    """The largest ``jitter`` of the network's heads; without a head, Darknet's default."""
    return max((max(head.section.number("jitter", DARKNET_JITTER), 0.0) for head in network.heads), default=DARKNET_JITTER)
