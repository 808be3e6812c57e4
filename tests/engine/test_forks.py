"""A process forks while its threads run networks, and the child runs them, too."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.engine.test_random_networks import BLOCKS
from tests.networks import image, network
from yolodsc import engine
from yolodsc.detection.detector import Detector
from yolodsc.engine.fastdsc.runner import FastDscRunner
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.engine.runtime.streams import Streams
from yolodsc.jit.forks import ForkLock
from yolodsc.jit.isa import select_isa
from yolodsc.network.network import Network

LAST = 10
TRIES = 12
PATIENCE = 30
"""Seconds that a child may take; it takes a fraction of one."""

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def made() -> Network:
    """Return a network of native operations and a layer that uses BLAS."""
    return network(f"{BLOCKS.strip()}\nconnected output=40 activation=leaky", height=48, width=40)


def fused(made: Network) -> engine.Runner:
    """Return a runner with two threads and a layer of the reference."""
    return FusedRunner(made, threads=2, outputs=[LAST], isa=select_isa() or pytest.skip("no kernels"))


def streams(made: Network) -> engine.Runner:
    """Return two runners."""
    first = FusedRunner(made, threads=1, outputs=[LAST], isa=select_isa() or pytest.skip("no kernels"))
    return Streams([first, first.clone()])


def fastdsc(made: Network) -> engine.Runner:
    """Return a runner without kernels."""
    return FastDscRunner(made, threads=2, outputs=[LAST])


@contextmanager
def busy(work: Callable[[], object], threads: int) -> Iterator[None]:
    """Run threads that repeat ``work``."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            work()

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        over.set()
        for worker in workers:
            worker.join()


def answers(work: Callable[[], bytes]) -> list[bytes | None]:
    """Return the results of ``work`` in children that fork now; None for a child that does not answer."""
    context = multiprocessing.get_context("fork")
    found: list[bytes | None] = []
    for _ in range(TRIES):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=lambda out=there: out.send_bytes(work()))
        child.start()
        found.append(here.recv_bytes() if here.poll(PATIENCE) else None)
        child.kill()
        child.join()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", [fused, streams, fastdsc])
def test_a_child_runs_the_network_while_the_parent_does(kind: Callable[[Network], engine.Runner], made: Network) -> None:
    """The child computes the same bits, whatever the parent's threads do."""
    x = image(made)
    with kind(made) as runner:
        expected = runner(x)[LAST].tobytes()

        with busy(lambda: runner(x), threads=3):
            found = answers(lambda: bytes(runner(x)[LAST]))

        assert found == [expected] * TRIES
        assert runner(x)[LAST].tobytes() == expected


@pytest.mark.slow
def test_a_child_detects_while_the_parent_does(tmp_path: Path) -> None:
    """`Detector.many` uses reading threads and streams."""
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (50, 60, 3), np.uint8)).save(path)
    detector = Detector(network(BLOCKS, height=48, width=40), thresh=0.3, streams=2)

    def scores() -> bytes:
        return b"".join(found.detections.scores.tobytes() for found in detector.many(paths) if found.detections)

    expected = scores()
    with busy(scores, threads=1):
        found = answers(scores)

    assert expected
    assert found == [expected] * TRIES
    detector.close()


@pytest.mark.slow
def test_a_child_compiles_while_the_parent_does(made: Network) -> None:
    """The compiler's lock is free, too."""
    x = image(made)

    def compiled() -> bytes:
        with fused(made) as runner:
            return runner(x)[LAST].tobytes()

    expected = compiled()
    with busy(compiled, threads=2):
        found = answers(compiled)

    assert found == [expected] * TRIES


def test_a_fork_inside_a_call_leaves_both_processes_their_locks() -> None:
    """The thread that forks holds its own lock; parent and child release it."""
    lock = ForkLock()

    with lock.held():
        child = os.fork()
        if child == 0:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    taken: list[bool] = []
    other = threading.Thread(target=lambda: taken.append(lock.lock.acquire(timeout=5)))
    other.start()
    other.join()

    assert status == 0
    assert taken == [True]
