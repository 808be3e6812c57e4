"""Unlabelled images to calibrate on."""

from typing import TYPE_CHECKING

from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.terminal import note
from yolodsc.decompose import read_images
from yolodsc.detection import image_paths

if TYPE_CHECKING:
    from yolodsc.arrays import Array
    from yolodsc.network import Network

FEW = 50
"""Number of images below which results vary noticeably with the choice of images."""


def calibration_images(network: "Network", source: str, *, count: int, seed: int, quiet: bool = False) -> "Array":
    """Images of a directory or list (N, C, H, W), at most ``count``; says so if there are few."""
    paths = image_paths([source])
    if len(paths) < min(FEW, count) and not quiet:
        found = f"{source}: {len(paths)} image{'s' * (len(paths) != 1)} to calibrate on"
        note(f"{found}; expected {FEW} or more, better 300: results of few are less accurate")
    with fitting_progress(quiet) as report:
        return read_images(network, paths, count=count, seed=seed, progress=report)
