"""Parity profiles: whose numbers should come out.

Darknet has many descendants, and the same ``.weights`` give different boxes in each. Every choice that differs between them
is a field here and nowhere else, so that "the same boxes as program X" is one name on the command line.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from yolodsc.errors import OptionError
from yolodsc.shape import Floats


@dataclass(frozen=True, slots=True)
class Profile:
    """One program's choices, from the picture to the boxes.

    Attributes
    ----------
    name
        What ``--profile`` calls it.
    resize
        ``darknet``: float, corners aligned, last-row quirk and all (``image.c: resize_image``).
        ``opencv``: ``cv2.resize`` on bytes, half-pixel centres.
    geometry
        ``cfg``: stretch unless ``[net] letter_box=1``; ``letterbox`` and ``stretch`` regardless of the cfg.
    batch_norm
        Where the epsilon stands: ``variance`` is sqrt(v + eps), ``deviation`` is sqrt(v) + eps.
    batch_norm_epsilon
        The epsilon itself.
    nms
        ``cfg``: the kind that the last head's ``nms_kind`` names; ``plain``: IoU only.
    thresh, nms_thresh
        Defaults of ``--thresh`` and ``--nms``.
    score_floor
        Class scores at or under it never leave the head, whatever ``--thresh`` says.
    region_scores
        What ``[region]`` without ``softmax`` and without ``tree`` makes of class scores.
    exif
        Whether pictures are turned as their EXIF orientation says.
    """

    name: str
    resize: Literal["darknet", "opencv"]
    geometry: Literal["cfg", "letterbox", "stretch"]
    batch_norm: Literal["variance", "deviation"]
    batch_norm_epsilon: float
    nms: Literal["cfg", "plain"]
    thresh: float
    nms_thresh: float
    score_floor: float
    region_scores: Literal["raw", "logistic"]
    exif: bool

    def deviation(self, variance: Floats) -> Floats:
        """Divisor of batch normalisation, float64, of the shape of ``variance``."""
        v = variance.astype(np.float64)
        if self.batch_norm == "variance":
            return np.sqrt(v + self.batch_norm_epsilon)
        return np.sqrt(v) + self.batch_norm_epsilon


ALEXEYAB = Profile(
    name="alexeyab",
    resize="darknet",
    geometry="cfg",
    batch_norm="variance",
    batch_norm_epsilon=1e-5,
    nms="cfg",
    thresh=0.25,
    nms_thresh=0.45,
    score_floor=0.0,
    region_scores="raw",
    exif=False,
)
PJREDDIE = Profile(
    name="pjreddie",
    resize="darknet",
    geometry="letterbox",
    batch_norm="deviation",
    batch_norm_epsilon=1e-6,
    nms="plain",
    thresh=0.5,
    nms_thresh=0.45,
    score_floor=0.0,
    region_scores="logistic",
    exif=False,
)
OPENCV = Profile(
    name="opencv",
    resize="opencv",
    geometry="stretch",
    batch_norm="variance",
    batch_norm_epsilon=1e-6,
    nms="plain",
    thresh=0.25,
    nms_thresh=0.45,
    score_floor=0.2,
    region_scores="logistic",
    exif=True,
)

PROFILES = {profile.name: profile for profile in (ALEXEYAB, PJREDDIE, OPENCV)}


def profile_named(name: str) -> Profile:
    """The profile called ``name``; an `OptionError` lists the names there are."""
    if name not in PROFILES:
        raise OptionError(f"--profile {name}: unknown; wanted one of {', '.join(PROFILES)}")
    return PROFILES[name]
