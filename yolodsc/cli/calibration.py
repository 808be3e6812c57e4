"""Unlabelled images to calibrate on."""

from typing import TYPE_CHECKING

from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.terminal import note
from yolodsc.decompose import draw_paths, read_drawn
from yolodsc.detection import image_paths

if TYPE_CHECKING:
    from yolodsc.arrays import Array
    from yolodsc.decompose import Read
    from yolodsc.network import Network

FEW = 50
"""Number of images below which results vary noticeably with the choice of images."""


def calibration_images(
    network: "Network", source: str, *, count: int, seed: int, read: "Read | None" = None, quiet: bool = False
) -> tuple[list[str], "Array"]:
    """Paths and images (N, C, H, W) of a directory or list, at most ``count``, drawn; says so if there are few."""
    paths = image_paths([source])
    if 1 < len(paths) < min(FEW, count) and not quiet:  # with fewer than two, an error follows
        found = f"{source}: {len(paths)} images to calibrate on"
        note(f"{found}; expected {FEW} or more, better 300: results of few are less accurate")
    drawn = draw_paths(paths, count=count, seed=seed)
    with fitting_progress(quiet) as report:
        return drawn, read_drawn(network, drawn, read=read, progress=report)
