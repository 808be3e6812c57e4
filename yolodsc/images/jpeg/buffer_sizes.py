"""How much room the kernels need, for their callers, which do not import Numba."""

FAST = 10
"""Bits of a code that are looked up at once; longer codes are searched by length."""
PADDING = 512
"""Zeros behind a segment: a block takes at most 64 * 31 bits, and nobody reads more than one block beyond the end."""
SPARE = 64
"""Samples and bytes behind the end of a row, for the vectors that hold its last ones."""
