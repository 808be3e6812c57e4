"""The fuzzer itself: it must detect crashes, hangs and uncaught exceptions."""

import random
from pathlib import Path

import pytest

from tools.fuzzing import command
from tools.fuzzing.bytewise import mutated
from tools.fuzzing.families import NAMES, target_named
from tools.fuzzing.supervisor import fuzz
from tools.fuzzing.target import corpus
from yolodsc.errors import YolodscError


@pytest.mark.slow
def test_crashes_hangs_and_uncaught_exceptions_are_counted_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The case that killed the worker is stored, and the following cases still run."""
    cases = ("accept", "crash", "hang", "raise 1", "raise 2", "lines", "memory", "refuse")
    for number, case in enumerate(cases):
        (tmp_path / f"{number}").write_text(case)
    files = [str(tmp_path / f"{number}") for number in range(len(cases))]

    status = command.main(["--replay", *files, "--out", str(tmp_path / "out"), "--seed", "5", "--", "defects"])

    found = {path.name.rsplit("-", 1)[0]: path.read_text() for path in sorted((tmp_path / "out").iterdir())}
    kept = sorted(path.read_text() for path in (tmp_path / "out").iterdir())
    assert status == 1
    assert found["defects-crash"] == "crash"
    assert found["defects-hang"] == "hang"
    assert kept == ["crash", "hang", "lines", "memory", "raise 1"]  # one case of each kind
    assert capsys.readouterr().out.splitlines()[-1].endswith("1 crashes, 1 hangs, 3 uncaught, seed 5")


@pytest.mark.slow
def test_a_run_over_sound_cases_is_clean_and_counts_its_cases(tmp_path: Path) -> None:
    """Mutations of a tree file are accepted or refused."""
    outcome = fuzz("tree", corpus("tree"), tmp_path, seconds=2, seed=1)

    assert outcome.broken is None
    assert outcome.clean
    assert outcome.cases > 20
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 2 and the message lists the targets, as ``--list`` does."""
    assert command.main(["nothing"]) == 2
    assert "cfg" in capsys.readouterr().err
    assert command.main(["--list"]) == 0
    assert tuple(capsys.readouterr().out.split()) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cfg", "npz", "safetensors", "png", "results"])
def test_structured_mutations_get_past_the_format(name: str) -> None:
    """Of 200 mutations some are accepted, and the others are refused for several reasons."""
    target = target_named(name)
    rng = random.Random(1)
    cases = [path.read_bytes() for path in corpus(name) if path.stat().st_size > 100]
    assert target.mutate is not None

    outcomes = {_outcome(name, target.mutate(rng.choice(cases), rng, lambda part: mutated(part, rng))) for _ in range(200)}

    assert "accepted" in outcomes
    assert len(outcomes) >= 3


def _outcome(name: str, data: bytes) -> str:
    try:
        target_named(name).one(data)
    except YolodscError as error:
        return str(error).split(":")[-1][:20]
    except Exception as error:
        return type(error).__name__
    return "accepted"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
def test_the_text_of_an_error_is_one_line_whatever_it_quotes(line_break: str) -> None:
    """Names of arrays, classes and files may contain line breaks."""
    text = str(YolodscError(f"weights/0/a{line_break}b: unknown"))

    assert len(text.splitlines()) == 1
    assert text.endswith("b: unknown")
