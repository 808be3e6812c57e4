"""Checks for weights that give NaN: values that are not finite, and variances without a square root."""

from collections.abc import Iterator, Sequence

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet import Profile
from yolodsc.errors import WeightsError
from yolodsc.network.layer import Layer, Weights


def require_finite(source: str, layers: Sequence[Layer], arrays: Sequence[Weights], profile: Profile) -> None:
    """Raise a `WeightsError` for the first array that gives NaN or infinity; it names the layer and the number of values.

    Parameters
    ----------
    source
        The file of the arrays.
    profile
        `Profile.deviation` of every variance must be positive.
    """
    flaw = next(flaws(layers, arrays, profile), None)
    if flaw is not None:
        raise WeightsError(f"{source}: {flaw}; allow_nonfinite=True accepts the file")


def flaws(layers: Sequence[Layer], arrays: Sequence[Weights], profile: Profile) -> Iterator[str]:
    """A description of each unusable array."""
    for layer, weights in zip(layers, arrays, strict=True):
        for name, array in weights.items():
            if not _finite(array):
                yield f"layer {layer.index} [{layer.type}], in {name}: {_counted(~np.isfinite(array))} not finite"
            elif name == "rolling_variance" and not _positive(array, profile).all():
                wrong = f"below the minimum variance of batch normalization, such as {array.min():g}"
                yield f"layer {layer.index} [{layer.type}], in {name}: {_counted(~_positive(array, profile))} {wrong}"


def _finite(array: Array) -> bool:
    """Whether all values are finite: minimum and maximum show NaN and infinity without a temporary array."""
    with np.errstate(invalid="ignore"):
        return array.size == 0 or bool(np.isfinite(array.max()) and np.isfinite(array.min()))


def _positive(variance: Array, profile: Profile) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(profile.deviation(variance) > 0)


def _counted(wrong: np.ndarray) -> str:
    count = int(wrong.sum())
    return f"{count} of {wrong.size} values {'is' if count == 1 else 'are'}"
