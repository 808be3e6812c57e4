"""Parity profiles: which program's results are reproduced.

Darknet has many variants, and the same ``.weights`` give different boxes in each. Every choice that differs between them is a
field of `Profile`.
"""

from typing import Literal

import numpy as np

from yolodsc.arrays import Floats
from yolodsc.errors import OptionError
from yolodsc.values import Value


class Profile(Value):
    """One program's choices, from the image to the boxes.

    Attributes
    ----------
    name
        Name of the profile, for `profile_named`.
    resize
        ``darknet``: float, corners aligned, last-row quirk and all (``image.c: resize_image``).
        ``opencv``: ``cv2.resize`` on bytes, half-pixel centres.
    geometry
        ``cfg``: stretch unless ``[net] letter_box=1``; ``letterbox`` and ``stretch`` regardless of the cfg.
    batch_norm
        Where the epsilon is added: ``variance`` is sqrt(v + eps), ``deviation`` is sqrt(v) + eps.
    batch_norm_epsilon
        The epsilon itself.
    nms
        ``cfg``: the kind that the last head's ``nms_kind`` names; ``plain``: IoU only.
    thresh, nms_thresh
        Default score threshold, and default overlap threshold of non-maximum suppression.
    score_floor
        Class scores at or under it are always set to 0, whatever the threshold is.
    region_scores
        Class scores of ``[region]`` without ``softmax`` and without ``tree``.
    xnor
        ``bits``: ``[convolutional] xnor=1`` is a product of bits, whose padding of 0 bits means -1, and ``bin_output=1`` drops the
        activation; ``floats``: a product of floats with padding 0.
    raw_1x1
        The 1x1 convolutions that multiply the input in memory order, regardless of stride and padding: ``unit_stride_x``
        those with ``stride_x=1``, ``all`` or ``none``.
    region
        ``fixed``: ``[region]`` reads its input as four coordinates, objectness and classes, whatever ``coords`` and ``background``
        say; ``cfg``: as these options say.
    exif
        Whether images are rotated according to their EXIF orientation.
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
    xnor: Literal["bits", "floats"]
    raw_1x1: Literal["unit_stride_x", "all", "none"]
    region: Literal["fixed", "cfg"]
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
    xnor="bits",
    raw_1x1="unit_stride_x",
    region="fixed",
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
    xnor="floats",
    raw_1x1="all",
    region="cfg",
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
    xnor="floats",
    raw_1x1="none",
    region="cfg",
    exif=True,
)

PROFILES = {profile.name: profile for profile in (ALEXEYAB, PJREDDIE, OPENCV)}


def profile_named(name: str | Profile) -> Profile:
    """The profile called ``name``, or the profile itself; an `OptionError` lists the known names."""
    if isinstance(name, Profile):
        return name
    if name not in PROFILES:
        raise OptionError(f"profile={name}: expected one of {', '.join(PROFILES)}", parameter="profile")
    return PROFILES[name]
