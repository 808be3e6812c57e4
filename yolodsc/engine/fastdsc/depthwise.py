"""Depthwise convolution as one Numba kernel."""

from numba import njit

from yolodsc.shape import Array


@njit(cache=True, nogil=True, error_model="numpy")
def depthwise(padded: Array, kernel: Array, bias: Array, stride: tuple[int, int], dilation: int, out: Array) -> None:
    """Convolve every plane with its own filters.

    Parameters
    ----------
    padded : (C, H + margins, W + margins)
        Input with its zero margins.
    kernel : (F, K, K)
        F = C * multiplier; filter f sees plane f // multiplier.
    bias : (F,)
    stride
        Rows, columns.
    out : (F, OH, OW)
    """
    filters, size, _ = kernel.shape
    multiplier = filters // padded.shape[0]
    height, width = out.shape[1:]
    for f in range(filters):
        plane = padded[f // multiplier]
        for y in range(height):
            row = out[f, y]
            row[:] = bias[f]
            for ky in range(size):
                source = plane[y * stride[0] + ky * dilation]
                for kx in range(size):
                    weight = kernel[f, ky, kx]
                    first = kx * dilation
                    if stride[1] == 1:
                        for x in range(width):
                            row[x] += weight * source[first + x]
                    else:
                        for x in range(width):
                            row[x] += weight * source[first + x * stride[1]]
