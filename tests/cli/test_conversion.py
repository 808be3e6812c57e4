"""Conversion of plain values of options, beside Typer's own."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from tests.cli.support import PACKAGE
from yolodsc import cli
from yolodsc.cli.conversion import with_plain_conversion
from yolodsc.errors import OptionError

VALUES = (None, "", "a", "1", "0", "7", "0.5", ".5", "1e-3", "-1", "nan", "1_000", " 3 ", "99999999999999999999", 1, 0.25, True)
LISTS = (None, (), ("a",), ("a", "1"), "a")


def _commands() -> list[tuple[str, Any]]:
    return [(name, command) for name in cli.COMMANDS if (command := typer.main.get_command(cli.app).get_command(None, name))]


def _outcome(process: Any, parameter: Any, value: Any) -> Any:
    """The converted value with its type, or that it was refused."""
    context = SimpleNamespace(command=None, token_normalize_func=None, resilient_parsing=False)
    try:
        converted = process(context, value)
    except (OptionError, typer.BadParameter):  # the messages differ: ours say what was found and what was expected
        return "refused"
    except Exception as refusal:  # the message is Typer's in both cases
        return type(refusal)
    return type(converted), repr(converted)  # NaN differs from itself


@pytest.mark.parametrize(("name", "command"), _commands(), ids=[name for name, _ in _commands()])
def test_plain_values_are_converted_as_typer_converts_them(
    name: str, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every option of every command, with usual values and odd ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    (tmp_path / "7").mkdir()
    changed = [one for one in command.params if hasattr(one.process_value, "args")]
    assert changed or name == "completion"  # whose only argument is a choice, which Typer converts
    for parameter in changed:
        for value in LISTS if parameter.nargs == -1 or parameter.multiple else VALUES:
            by_typer = parameter.process_value.args[-1]
            expected, found = (_outcome(process, parameter, value) for process in (by_typer, parameter.process_value))
            assert found == expected, (name, parameter.name, value)


def test_unknown_declarations_are_left_to_typer() -> None:
    """Parameters without ``Annotated`` or with a parser of their own keep their conversion."""

    def function(*, plain: int = 1) -> int:
        return plain

    app = typer.Typer()
    app.command()(function)
    command = with_plain_conversion(typer.main.get_command(app), function)
    assert not [one for one in command.params if hasattr(one.process_value, "args")]


@pytest.mark.slow
def test_detect_starts_without_pydantic(shared: Path) -> None:
    """Neither its import nor that of other heavy modules belongs to a start with a JPEG."""
    photo = shared / "data/images/dog.jpg"
    program = (
        "import sys\nfrom yolodsc import cli\n"
        f"status = cli.run(['detect', {str(photo)!r}, '--thresh', '0.3', '--quiet'])\n"
        "print(status, [name for name in ('pydantic', 'rich', 'numba', 'scipy', 'cv2', 'PIL') if name in sys.modules])"
    )
    for _ in range(2):  # the first process may have to compile kernels, with Numba
        done = subprocess.run([sys.executable, "-c", program], env=_environment(), capture_output=True, text=True, check=False)
    assert done.stdout == "0 []\n", done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
