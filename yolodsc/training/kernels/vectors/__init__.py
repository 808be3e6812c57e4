"""Kernels written as vector instructions, for loops that LLVM does not vectorise well."""
