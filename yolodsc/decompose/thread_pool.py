"""The threads of a decomposition: BLAS held to one, fixed parts of the work dealt out among them.

What a part is never depends on how many threads there are, and results are put together in the order of the parts: so one thread
and four give the same network, bit for bit. BLAS with threads of its own sums in another order for each number of them.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


class FitThreadPool:
    """A context in which BLAS is held, with a `map` that uses ``threads`` threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decompose")

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterable[R]:
        """Results in the order of the parts."""
        return self._pool.map(work, parts)

    def __enter__(self) -> Self:
        self._limits = threadpool_limits(1, user_api="blas")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._limits.restore_original_limits()
