"""The runner of the fused engine: threads, streams of calls, forks, odd inputs, and what serves where kernels cannot be had."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from tests.engine.test_random_networks import BLOCKS, error
from tests.networks import image, network
from yolodsc import engine
from yolodsc.engine.fastdsc.runner import FastDscRunner
from yolodsc.engine.selection import select_backend
from yolodsc.errors import OptionError
from yolodsc.network.network import Network

LAST = 9


@pytest.fixture(scope="module")
def small() -> Network:
    """A network with a fused block, a pyramid of pools, a concatenation and a head."""
    return network(BLOCKS, height=48, width=40)


@pytest.mark.parametrize("threads", [2, 4])
def test_a_thousand_runs_are_bit_identical(small: Network, threads: int) -> None:
    """Whichever thread takes which task, the numbers are the same."""
    x = image(small)
    with engine.compile(small, threads=1) as single:
        first = single(x)[LAST]

    with engine.compile(small, threads=threads) as runner:
        different = sum(not np.array_equal(runner(x)[LAST], first) for _ in range(500))

    assert different == 0


def test_several_python_threads_share_a_runner(small: Network) -> None:
    """Each gets the outputs of its own image."""
    images = [image(small, seed=number) for number in range(4)]
    expected = [small.forward(x)[LAST] for x in images]
    errors: list[float] = []

    with engine.compile(small, threads=2) as runner:

        def work(number: int) -> None:
            for _ in range(25):
                found = runner(images[number])[LAST]
                errors.append(float(np.abs(found - expected[number]).max() / np.abs(expected[number]).max()))

        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert len(errors) == 100
    assert max(errors) < 1e-5


def _fork_and_run(runner: engine.Runner, made: Network, queue: "multiprocessing.Queue[bytes]") -> None:
    queue.put(runner(image(made))[LAST].tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_runner_works_after_fork(small: Network) -> None:
    """The child has no helpers of its parent's, and makes its own."""
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[bytes] = context.Queue()
    with engine.compile(small, threads=3) as runner:
        expected = runner(image(small))[LAST].tobytes()

        child = context.Process(target=_fork_and_run, args=(runner, small, queue))
        child.start()
        found = queue.get(timeout=60)
        child.join()

        assert found == expected
        assert runner(image(small))[LAST].tobytes() == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_none_do_not_stop_a_run(small: Network, value: float) -> None:
    """And the next image is right again."""
    x, bad = image(small), image(small)
    bad[:, 5:9, 3:30] = value
    expected = small.forward(x)

    with engine.compile(small, threads=2) as runner:
        runner(bad)
        found = runner(x)

    assert error(small, LAST, found[LAST], expected) < 1e-5


def test_outputs_belong_to_the_caller(small: Network) -> None:
    """A later run changes nothing of what an earlier one gave."""
    with engine.compile(small, outputs=[4, 6, LAST]) as runner:
        first = runner(image(small))
        kept = {index: array.copy() for index, array in first.items()}
        runner(image(small, seed=9))

    for index, array in first.items():
        np.testing.assert_array_equal(array, kept[index])
        assert array.flags.owndata


def test_a_batch_gives_what_its_images_give(small: Network) -> None:
    """Also one that is a view with strides, and an empty one."""
    images = np.stack([image(small, seed=number) for number in range(6)])

    with engine.compile(small, threads=2) as runner:
        batch = runner(images[::-2])[LAST]
        single = [runner(x)[LAST] for x in images[::-2]]
        empty = runner(images[:0])[LAST]

    np.testing.assert_array_equal(batch, np.stack(single))
    assert empty.shape == (0, *small.layers[LAST].shape)


@pytest.mark.parametrize("isa", [None, "none"])
def test_images_of_any_memory_order_and_type_are_read(small: Network, isa: str | None) -> None:
    """Strided, float64, at an odd address: the same numbers, and the image is left alone."""
    x = image(small)
    odd = np.zeros(x.nbytes + 2, np.uint8)[2:].view(np.uint8)
    shifted = np.frombuffer(odd.data, np.float32).reshape(x.shape)
    shifted[:] = x
    ways = [x, np.asfortranarray(x), np.repeat(x, 2, axis=2)[:, :, ::2], x.astype(np.float64), shifted]

    with engine.compile(small, threads=2, isa=isa) as runner:
        found = [runner(way)[LAST] for way in ways]

    for output in found[1:]:
        np.testing.assert_array_equal(output, found[0])
    np.testing.assert_array_equal(shifted, x)


def test_a_image_of_another_shape_is_refused(small: Network) -> None:
    """Before anything of it is read."""
    with engine.compile(small) as runner, pytest.raises(ValueError, match=r"expected \(3, 48, 40\)"):
        runner(image(small)[:, :-1])


def test_helpers_that_went_to_sleep_wake_up(small: Network) -> None:
    """After a pause, and when the runner is closed."""
    x = image(small)
    before = threading.active_count()
    with engine.compile(small, threads=4) as runner:
        first = runner(x)[LAST]
        threading.Event().wait(0.2)
        second = runner(x)[LAST]

    np.testing.assert_array_equal(first, second)
    assert threading.active_count() == before


def test_none_is_fastdsc(small: Network) -> None:
    """``isa="none"`` forces the path that serves where kernels cannot be had."""
    with engine.compile(small, isa="none") as runner:
        found = runner(image(small))

        assert isinstance(runner, FastDscRunner)
    assert error(small, LAST, found[LAST], small.forward(image(small))) < 1e-5


def test_fastdsc_serves_where_llvm_does_not(small: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is kept for ``yolodsc info``."""
    import yolodsc.jit.compiler as objects

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("LLVM IR parsing error")

    monkeypatch.setattr(objects.Compiler, "load", refuse)
    select_backend.cache_clear()

    with engine.compile(small) as runner:
        assert isinstance(runner, FastDscRunner)
    assert "LLVM IR parsing error" in select_backend(None).reason
    select_backend.cache_clear()


def test_an_unknown_instruction_set_is_refused(small: Network) -> None:
    """In one line that lists what there is."""
    with pytest.raises(OptionError, match=r"isa=mmx: expected .*none"):
        engine.compile(small, isa="mmx")
