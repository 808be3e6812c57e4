"""The update of Adam in one pass over each parameter."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def update(value: Array, gradient: Array, mean: Array, square: Array, numbers: tuple[np.float32, ...]) -> None:
    """Update value, mean and square (n,).

    ``numbers`` are 1 - beta1, 1 - beta2, the factor of decay, the size of the step, and epsilon.
    """
    first, second, kept, size, epsilon = numbers
    for i in range(len(value)):
        g = gradient[i]
        m = mean[i] + first * (g - mean[i])
        s = square[i] + second * (g * g - square[i])
        mean[i], square[i] = m, s
        value[i] = kept * value[i] - size * m / (np.sqrt(s) + epsilon)
