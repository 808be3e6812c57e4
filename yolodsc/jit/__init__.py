"""Python functions and LLVM IR to machine code that is kept from one process to the next."""
