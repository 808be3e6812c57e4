"""Layouts that operations make for their own kernels."""
