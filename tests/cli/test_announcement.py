"""Compilation is announced once it takes long."""

from pathlib import Path
from time import sleep

import pytest

from tests.cli.support import run
from yolodsc.cli.progress import Announcement
from yolodsc.jit.cache.observation import compiling, observe_compilation

LINE = "yolodsc: compiling kernels (first run on this machine)\n"


@pytest.fixture
def observed() -> None:
    """An announcement that hears of compilations."""
    observe_compilation(Announcement())
    yield
    observe_compilation(None)


@pytest.mark.slow
@pytest.mark.usefixtures("observed")
def test_a_long_compilation_is_announced_while_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Once a process."""
    with compiling(), compiling():
        sleep(1.3)
        assert capsys.readouterr().err == LINE
    with compiling():
        sleep(1.2)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.usefixtures("observed")
def test_short_compilations_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    """None of them takes a second."""
    with compiling():
        sleep(0.1)
    assert capsys.readouterr().err == ""
    for _ in range(4):
        with compiling():
            sleep(0.4)

    assert capsys.readouterr().err == LINE


@pytest.mark.slow
def test_the_first_evaluation_on_a_machine_says_that_it_compiles(here: Path, tmp_path: Path) -> None:
    """Also what Numba compiles after the images; --quiet says nothing."""
    (here / "a.txt").write_text("0 .5 .5 .2 .2\n")
    (here / "detections").mkdir()
    (here / "detections/a.txt").write_text("0 .5 .5 .2 .2 .9\n")
    words = ["evaluate", "--gt", ".", "--format", "yolo", "--detections", "detections"]

    loud = run(*words, YOLODSC_CACHE=str(tmp_path / "one"))
    quiet = run(*words, "--quiet", YOLODSC_CACHE=str(tmp_path / "two"))

    assert (loud.returncode, quiet.returncode) == (0, 0), loud.stderr
    assert LINE in loud.stderr
    assert LINE not in quiet.stderr
