"""Generation of LLVM IR: builder, epilogues, tile sizes and kernels."""
