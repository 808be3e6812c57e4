"""Sizes of the kernels' buffers, for callers that do not import Numba."""

FAST = 10
"""Bits of a code that are looked up at once; longer codes are searched by length."""
PADDING = 512
"""Zeros behind a segment: a block takes at most 64 * 31 bits, and reading stops at most one block beyond the end."""
SPARE = 64
"""Samples and bytes behind the end of a row, for the vectors that hold its last ones."""
