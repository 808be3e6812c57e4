"""The FastDSC executor (Yoo, Choi, Choi 2018): NumPy's BLAS for pointwise convolutions, Numba for depthwise ones.

A pointwise convolution is one matrix product on the flattened map, without im2col; a depthwise one a Numba kernel over padded
planes; any other convolution im2col and a matrix product. Batch norm is folded, every buffer allocated once. It runs wherever
NumPy and Numba do.
"""

from yolodsc.engine.fastdsc.runner import FastDscRunner

__all__ = ["FastDscRunner"]
