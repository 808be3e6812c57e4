"""The FastDSC executor (Yoo, Choi, Choi 2018): NumPy's BLAS for pointwise convolutions, Numba for depthwise ones.

A pointwise convolution is one matrix product on the flattened feature map, without im2col. A depthwise convolution is a Numba
kernel over zero-padded channels. Any other convolution is im2col and a matrix product. Batch norm is folded, and every buffer is
allocated once. FastDSC runs wherever NumPy and Numba do.
"""

from yolodsc.engine.fastdsc.runner import FastDscRunner

__all__ = ["FastDscRunner"]
