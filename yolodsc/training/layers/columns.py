"""im2col of one picture and its transpose (``im2col.c: im2col_cpu_ext``, ``col2im.c``), by rows."""

from numba import njit

from yolodsc.shape import Array


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(start: int, stride: int, side: int, count: int) -> tuple[int, int]:
    """First and past-the-last i < count for which start + i * stride lies in 0..side - 1."""
    first = 0 if start >= 0 else (-start + stride - 1) // stride
    last = 0 if side <= start else (side - 1 - start) // stride + 1
    return min(first, count), max(min(last, count), min(first, count))


@njit(cache=True, nogil=True, error_model="numpy")
def gather(x: Array, size: int, strides: tuple[int, int], margin: int, dilation: int, columns: Array) -> None:
    """Fill (C, K, K, OH, OW) from (C, H, W): what each tap sees, 0 outside the map."""
    channels, height, width = x.shape
    out_height, out_width = columns.shape[3:]
    for c in range(channels):
        for ky in range(size):
            for kx in range(size):
                left = kx * dilation - margin
                first, last = _inside(left, strides[1], width, out_width)
                for i in range(out_height):
                    row = columns[c, ky, kx, i]
                    y = i * strides[0] + ky * dilation - margin
                    if y < 0 or y >= height:
                        row[:] = 0
                        continue
                    row[:first] = 0
                    row[last:] = 0
                    if strides[1] == 1:
                        row[first:last] = x[c, y, first + left : last + left]
                    else:
                        for j in range(first, last):
                            row[j] = x[c, y, j * strides[1] + left]


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(columns: Array, size: int, strides: tuple[int, int], margin: int, dilation: int, x: Array) -> None:
    """Add to each pixel of (C, H, W) what the taps that see it hold."""
    channels, height, width = x.shape
    out_height, out_width = columns.shape[3:]
    for c in range(channels):
        for ky in range(size):
            for kx in range(size):
                left = kx * dilation - margin
                first, last = _inside(left, strides[1], width, out_width)
                for i in range(out_height):
                    y = i * strides[0] + ky * dilation - margin
                    if y < 0 or y >= height:
                        continue
                    row, target = columns[c, ky, kx, i], x[c, y]
                    if strides[1] == 1:
                        for j in range(first, last):
                            target[j + left] += row[j]
                    else:
                        for j in range(first, last):
                            target[j * strides[1] + left] += row[j]
