"""Numba kernels of the forward and backward passes."""
