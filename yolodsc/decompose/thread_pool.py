"""The thread pool of a decomposition; BLAS itself runs on one thread.

Tasks never depend on the number of threads, and results are combined in the order of the tasks, so that the decomposed network is
bit-identical for any number of threads. BLAS with several threads would sum in an order that depends on their number.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from yolodsc.engine import single_threaded_blas

T = TypeVar("T")
R = TypeVar("R")


class FitThreadPool:
    """A context in which BLAS uses one thread, with a `map` over ``threads`` threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decompose")
        self._stack = ExitStack()

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterable[R]:
        """Results in the order of ``parts``."""
        return self._pool.map(work, parts)

    def __enter__(self) -> Self:
        self._stack.enter_context(single_threaded_blas())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()
