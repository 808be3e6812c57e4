"""Tasks ahead of their turn: order, number, bytes, and how they end."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN
from yolodsc.detection import read_ahead
from yolodsc.detection.detector import Detector
from yolodsc.detection.pipeline import READ_AHEAD
from yolodsc.detection.read_ahead import Budget, Ticket, in_order
from yolodsc.images.image import write_image

STEM = GOLDEN / "micro/yolo-v4"


def task(size: int, ticket: Ticket, *, fails: bool = False) -> int:
    """Something of a size that takes a while."""
    with ticket:
        if fails:
            raise ValueError
        ticket.admit(size)
        time.sleep(random.random() / 1000)
    return size


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_within_the_budget(threads: int) -> None:
    """Whatever the sizes; one that is larger than the whole budget comes alone."""
    sizes = random.Random(0).choices([1, 10, 40, 60, 150], k=200)
    budget = Budget(100)

    with ThreadPoolExecutor(threads) as pool:
        found = list(in_order(sizes, lambda size, ticket: pool.submit(task, size, ticket), depth=8, budget=budget))

    assert found == sizes
    assert budget.peak == 150


def test_without_large_ones_the_budget_is_never_exceeded() -> None:
    """The sum of all that are decoded, wait or are in use."""
    budget = Budget(100)

    with ThreadPoolExecutor(4) as pool:
        list(in_order([60, 30, 50, 20] * 50, lambda size, ticket: pool.submit(task, size, ticket), depth=8, budget=budget))

    assert 50 < budget.peak <= 100


def test_a_task_that_fails_gives_its_place_to_the_next() -> None:
    """Its error comes in its turn; the others are not held up."""

    def begin(number: int, ticket: Ticket) -> "Future[object]":
        return other.submit(
            lambda reading: reading.exception() or reading.result(), pool.submit(task, number, ticket, fails=number == 3)
        )

    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(1) as other:
        found = list(in_order(range(8), begin, depth=4, budget=Budget(1)))

    assert [type(entry).__name__ for entry in found] == ["int"] * 3 + ["ValueError"] + ["int"] * 4


def test_no_more_than_the_depth_is_begun() -> None:
    """The entries are not run through ahead of the results."""
    begun: list[int] = []

    def entries() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    with ThreadPoolExecutor(1) as pool:
        results = in_order(entries(), lambda size, ticket: pool.submit(task, size, ticket), depth=3)
        assert next(results) == 0
        assert len(begun) == 3
        results.close()


def test_leaving_early_ends_tasks_that_wait_for_room() -> None:
    """Nobody is left waiting, so the threads can be joined."""
    with ThreadPoolExecutor(4) as pool:
        results = in_order([100] * 10, lambda size, ticket: pool.submit(task, size, ticket), depth=8, budget=Budget(100))
        assert next(results) == 100
        results.close()


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Eight images of 30,000 bytes."""
    paths = [tmp_path / f"{i}.png" for i in range(8)]
    for path in paths:
        write_image(path, np.zeros((100, 100, 3), np.uint8))
    return [*map(str, paths)]


def test_the_detector_reads_ahead_within_the_budget(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that fill it are decoded one at a time; small ones ``READ_AHEAD`` at a time."""
    budgets: list[Budget] = []
    monkeypatch.setattr(read_ahead, "Budget", lambda: budgets.append(Budget(limit)) or budgets[-1])
    detector = Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", streams=2)
    size = 30_000 + 4 * detector.network.input_shape.size

    for limit in (size, 2 * size, 100 * size):  # noqa: B007 the monkeypatch reads it
        assert [found.path for found in detector.many(images)] == images

    detector.close()
    assert budgets[0].peak == size
    assert budgets[1].peak <= 2 * size
    assert budgets[2].peak <= (READ_AHEAD + 2) * size


def test_free_memory_goes_back_after_large_images_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library would keep it, for each thread anew."""
    given: list[bool] = []
    monkeypatch.setattr(read_ahead, "_trim", lambda: given.append(True))

    with ThreadPoolExecutor(1) as pool:
        list(in_order([1, 2**26, 5], lambda size, ticket: pool.submit(task, size, ticket), depth=2))

    assert len(given) == 1
