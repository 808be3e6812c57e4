"""What an optimizer reads and writes: one array and its gradient."""

from dataclasses import dataclass

from yolodsc.arrays import Array


@dataclass(slots=True, eq=False)
class Parameter:
    """One trainable array of one layer.

    Attributes
    ----------
    layer
        Index of the layer that owns it.
    name
        ``weights``, ``biases`` or ``scales``, raw as on disk: batch norm is never folded away.
        In reduced precision also the logarithms of the learned scales of weights and tensors.
    value
        float32, updated in place by the optimizer.
    gradient
        Of the same shape, overwritten by every backward pass: a sum over the images of the batch.
    """

    layer: int
    name: str
    value: Array
    gradient: Array
