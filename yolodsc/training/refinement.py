"""Refinement of a decomposed network as a whole on unlabelled images.

The fits of decomposition are exact for one layer at a time. Here all layers learn together what the original network computes:
its heads, weighted by the objectness that it finds, and its feature maps between them, as in block-wise reconstruction (BRECQ, Li
et al. 2021). The images are those of the calibration, so neither labels nor further images are needed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from yolodsc.detection import default_geometry
from yolodsc.errors import OptionError
from yolodsc.network import Network
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.trainer import Trainer
from yolodsc.training.loss.grid import grids

RATE, BATCH, WARMUP = 3e-4, 8, 1.0
"""Learning rate, images of a step, and passes with a rising rate. The rate first takes the layers away from their fits; small
batches give enough steps to come back from there to a lower loss. Fits that lose less than a tenth of the mAP lose by it."""


def refine(
    network: Network,
    original: Network,
    paths: Sequence[str],
    *,
    epochs: float,
    rate: float = RATE,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str, float], None] | None = None,
) -> Network:
    """Train a decomposed network to give the outputs of the original on images without labels.

    Parameters
    ----------
    paths
        Images; mirrored, shifted and coloured versions of them are drawn.
    epochs
        Number of passes over the images.
    rate
        Highest learning rate.
    progress
        Called after every step with a description and the share of the work that is done.

    Raises
    ------
    YolodscError
        A layer or head cannot be trained, or the loss is not finite.
    """
    settings = FinetuneSettings(epochs=epochs, batch=min(BATCH, len(paths)), rate=rate, warmup=WARMUP, seed=seed)
    with TemporaryDirectory(prefix="yolodsc-refine-") as folder:
        trainer = Trainer(
            network,
            settings,
            paths=paths,
            teacher=original,
            geometry=default_geometry(original),
            folder=Path(folder),
            threads=threads,
        )
        report = progress or (lambda what, share: None)
        try:
            return trainer.run(progress=lambda step, loss: report(f"refining, loss {loss.total:.3f}", step / trainer.steps)).network
        finally:
            trainer.close()


def ensure_refinable(network: Network) -> None:
    """Raise a `YolodscError` if a network has no head, or one that cannot be trained."""
    if not grids(network):
        raise OptionError(f"refine: {network.cfg.file} has no head; expected [yolo] or [region]", parameter="refine")
