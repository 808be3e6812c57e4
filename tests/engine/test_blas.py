"""BLAS threads while runners work."""

import contextlib
import threading

from yolodsc.engine.runtime.blas import _loaded, single_threaded_blas


def threads() -> set[int]:
    """Return the number of threads of each BLAS library that a runner can use."""
    found = {library["num_threads"] for library in _loaded().info() if library["user_api"] == "blas"}
    assert found
    return found


def test_blas_is_held_as_long_as_any_runner_works() -> None:
    """The first runner that ends does not remove the limit; the last one restores the previous number."""
    before = threads()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with single_threaded_blas():
            inside.set()
            leave.wait(10)

    with single_threaded_blas():
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
    """The limit ends with the block."""
    before = threads()

    with contextlib.suppress(RuntimeError), single_threaded_blas():
        raise RuntimeError

    assert threads() == before
