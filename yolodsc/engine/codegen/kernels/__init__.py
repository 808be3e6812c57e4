"""Micro-kernels: functions that write LLVM IR, one family a file."""
