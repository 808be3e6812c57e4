"""Commands that fail: exit status and the line that they print."""

from collections.abc import Sequence

import pytest

from yolodsc.cli import run


def complaint(arguments: Sequence[object], capsys: pytest.CaptureFixture[str], *, status: int = 2) -> str:
    """Return the only line on standard error of a run that ends with ``status``; a traceback would raise an exception in `run`."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error
