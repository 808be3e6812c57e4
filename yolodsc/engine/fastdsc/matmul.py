"""Matrix products on several threads with the bits of one.

BLAS with threads of its own divides a product by their number, and small or narrow blocks may round differently. Here a product is
split into blocks of columns that depend on the shapes alone. BLAS computes each block on one thread.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yolodsc.arrays import Array

MIN_MULTIPLY_ADDS = 2**22
"""Fewest multiply-adds of a block: 0.1 ms, three times as long as passing it to a thread takes."""

COLUMN_MULTIPLE = 64
"""Blocks have a multiple of this many columns; the last one also takes the remainder."""

Step = Callable[[], None]
"""A call without arguments that reads bound arrays and writes to one."""


class MatmulPool:
    """A thread pool for the blocks of matrix products.

    The threads start with the first product of several blocks, and again in a forked child.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, blocks: Sequence[Step]) -> None:
        """Compute all blocks; the calling thread takes the first share."""
        count = min(self.threads, len(blocks))
        shares = [blocks[number::count] for number in range(count)]
        futures = [self._started().submit(_run_all, share) for share in shares[1:]]
        _run_all(shares[0])
        for future in futures:
            future.result()

    def close(self) -> None:
        """End the threads."""
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown()
        self._executor = None

    def _started(self) -> ThreadPoolExecutor:
        if self._executor is None or self._process != os.getpid():
            self._executor, self._process = ThreadPoolExecutor(self.threads - 1, "yolodsc-matmul"), os.getpid()
        return self._executor


def matmul_blocks(matrices: Array, columns: Array, out: Array) -> list[Step]:
    """Blocks of ``out`` = ``matrices @ columns``, (…, F, N) = (…, F, K) @ (…, K, N)."""
    width = columns.shape[-1]
    units = max(1, width // COLUMN_MULTIPLE)
    count = max(1, min(units, matrices.size * width // MIN_MULTIPLY_ADDS))
    ends = [number * units // count * COLUMN_MULTIPLE for number in range(1, count)]
    return [_block(matrices, columns[..., a:b], out[..., a:b]) for a, b in itertools.pairwise([0, *ends, width])]


def _block(matrices: Array, columns: Array, out: Array) -> Step:
    def product() -> None:
        np.matmul(matrices, columns, out=out)

    return product


def _run_all(blocks: Sequence[Step]) -> None:
    for block in blocks:
        block()
