"""BLAS's threads while runners work."""

import contextlib
import threading

from threadpoolctl import threadpool_info

from yolodsc.engine.runtime.blas import held


def threads() -> set[int]:
    """How many threads each BLAS may use now."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_is_held_as_long_as_any_runner_works() -> None:
    """Whoever leaves first takes nothing away; after the last one all is as it was."""
    before = threads()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with held():
            inside.set()
            leave.wait(10)

    with held():
        worker = threading.Thread(target=other)
        worker.start()
        inside.wait(10)
        first = threads()
    after_first = threads()
    leave.set()
    worker.join()

    assert first == after_first == {1}
    assert threads() == before


def test_blas_is_given_back_after_an_error() -> None:
    """The limit does not outlive the block."""
    before = threads()

    with contextlib.suppress(RuntimeError), held():
        raise RuntimeError

    assert threads() == before
