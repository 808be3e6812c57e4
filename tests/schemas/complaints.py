"""A command that is refused: its status, and the one line that it says."""

from collections.abc import Sequence

import pytest

from yolodsc.cli import run


def complaint(arguments: Sequence[object], capsys: pytest.CaptureFixture[str], *, status: int = 2) -> str:
    """The only line on standard error of a run that ends with ``status``; a traceback would leave `run` as an exception."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error
