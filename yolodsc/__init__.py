"""Darknet YOLO networks in pure NumPy and Numba."""

__version__ = "0.1.0"
