"""Batch normalization with the statistics of training, as a scale and a shift for each channel."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.darknet import Profile


def batch_norm(x: Array, arrays: Mapping[str, Array], *, profile: Profile) -> Array:
    """(x - mean) / deviation * scale + bias for each channel of (C, H, W), with the profile's epsilon."""
    scale, shift = scale_and_shift(arrays, profile=profile)
    return (x * scale[:, None, None] + shift[:, None, None]).astype(np.float32)


def scale_and_shift(arrays: Mapping[str, Array], *, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Batch normalization as ``scale * x + shift``.

    Source: ``network.c: fuse_conv_batchnorm``.

    Parameters
    ----------
    arrays
        ``scales``, ``biases``, ``rolling_mean`` and ``rolling_variance`` of a layer, (C,) each; other arrays are ignored.

    Returns
    -------
    scale, shift : (C,) float64
    """
    scale = arrays["scales"].astype(np.float64) / profile.deviation(arrays["rolling_variance"])
    return scale, arrays["biases"].astype(np.float64) - scale * arrays["rolling_mean"]
