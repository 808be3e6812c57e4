"""Matrix products on several threads with the bits of one: in parts that depend on the matrices only, each by BLAS on one thread.

BLAS with threads of its own divides a product by their number, and the sums of small or narrow parts may round otherwise.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yolodsc.arrays import Array

PART = 2**22
"""Least multiply-adds of a part: 0.1 ms, three times what handing it to a thread takes."""

COLUMNS = 64
"""Columns of a part are a multiple of it; what is left belongs to the last part."""

Task = Callable[[], None]


class Workers:
    """Threads for the parts; they are started with the first product that has several, in a forked child again."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all tasks, the first share of them in the calling thread."""
        count = min(self.threads, len(tasks))
        shares = [tasks[number::count] for number in range(count)]
        futures = [self._started().submit(_all, share) for share in shares[1:]]
        _all(shares[0])
        for future in futures:
            future.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown()
        self._pool = None

    def _started(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(self.threads - 1, "yolodsc-product"), os.getpid()
        return self._pool


def parts(matrices: Array, columns: Array, out: Array) -> list[Task]:
    """Tasks that write ``matrices @ columns``, (…, F, K) times (…, K, N), to ``out``."""
    width = columns.shape[-1]
    units = max(1, width // COLUMNS)
    count = max(1, min(units, matrices.size * width // PART))
    ends = [number * units // count * COLUMNS for number in range(1, count)]
    return [_part(matrices, columns[..., a:b], out[..., a:b]) for a, b in itertools.pairwise([0, *ends, width])]


def _part(matrices: Array, columns: Array, out: Array) -> Task:
    def product() -> None:
        np.matmul(matrices, columns, out=out)

    return product


def _all(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task()
