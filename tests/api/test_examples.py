"""The examples of the documentation and of docstrings run, and a typed script of a user is correct in mypy's strict mode."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from yolodsc.detection import loading

ROOT = Path(__file__).parents[2]
PAGES = ("docs/python.md",)
FENCED = re.compile(r"^```pycon\n(.*?)^```", re.MULTILINE | re.DOTALL)

SCRIPT = Path(__file__).with_name("typed_script.py")


def run(examples: str, name: str) -> doctest.TestResults:
    """Run examples and report those that fail."""
    test = doctest.DocTestParser().get_doctest(examples, {}, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test)
    return runner.summarize(verbose=False)


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_documentation_run(page: str) -> None:
    """All blocks of a page, one after the other."""
    pytest.importorskip("skimage", reason="needs scikit-image's photographs (extra demo)")
    blocks = FENCED.findall((ROOT / page).read_text(encoding="utf-8"))

    results = run("\n".join(blocks), page)

    assert results.attempted > 15
    assert results.failed == 0


def test_examples_of_docstrings_run() -> None:
    """Those of `load`."""
    results = run(loading.load.__doc__ or "", "load")

    assert results.attempted
    assert results.failed == 0


def test_a_failing_example_is_seen() -> None:
    """The check can fail."""
    assert run(">>> 1 + 1\n3\n", "wrong").failed == 1


@pytest.mark.slow
def test_a_typed_script_passes_mypy(tmp_path: Path) -> None:
    """Strictly, and without installed stubs for yolodsc; a wrong type in it is found."""
    pytest.importorskip("mypy", reason="needs mypy")

    def checked(script: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", "", str(script)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    good = checked(SCRIPT)
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import yolodsc\n\ndetector: int = yolodsc.load(thresh='high')\n")
    bad = checked(wrong)

    assert good.returncode == 0, good.stdout
    assert bad.stdout.count("error:") == 2


def test_the_typed_script_runs(path: str, tmp_path: Path) -> None:
    """It is a real script."""
    done = subprocess.run([sys.executable, str(SCRIPT), path, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drawn.png").exists()
