"""Weights that can only give NaN: values that are not finite, and variances without a square root."""

from collections.abc import Iterator, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet import Profile
from yolodsc.errors import WeightsError
from yolodsc.network.layer import Layer, Weights


def require_finite(source: str, layers: Sequence[Layer], arrays: Sequence[Weights], profile: Profile) -> None:
    """See that no array makes NaN or infinity of images; a `WeightsError` names the first one, its layer and how many values.

    Parameters
    ----------
    source
        The file that the arrays come from.
    profile
        Decides which variances have a square root: `Profile.deviation` must be positive.
    """
    flaw = next(flaws(layers, arrays, profile), None)
    if flaw is not None:
        raise WeightsError(f"{source}: {flaw}; allow_nonfinite=True accepts the file")


def flaws(layers: Sequence[Layer], arrays: Sequence[Weights], profile: Profile) -> Iterator[str]:
    """A line for each array that cannot be used."""
    for layer, own in zip(layers, arrays, strict=True):
        for name, array in own.items():
            if not _finite(array):
                yield f"layer {layer.index} [{layer.type}], in {name}: {_counted(~np.isfinite(array))} not finite"
            elif name == "rolling_variance" and not _positive(array, profile).all():
                wrong = f"under the least variance of batch normalization, such as {array.min():g}"
                yield f"layer {layer.index} [{layer.type}], in {name}: {_counted(~_positive(array, profile))} {wrong}"


def _finite(array: Array) -> bool:
    """Whether all values are finite: NaN and infinity reach the extremes, and no array of flags is made."""
    with np.errstate(invalid="ignore"):
        return array.size == 0 or bool(np.isfinite(array.max()) and np.isfinite(array.min()))


def _positive(variance: Array, profile: Profile) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(profile.deviation(variance) > 0)


def _counted(wrong: np.ndarray) -> str:
    count = int(wrong.sum())
    return f"{count} of {wrong.size} values {'is' if count == 1 else 'are'}"
