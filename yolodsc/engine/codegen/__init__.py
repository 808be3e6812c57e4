"""LLVM IR: the builder, epilogues, tiles and kernels."""
