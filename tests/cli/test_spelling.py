"""Errors of the library name parameters; the command line prints its options."""

import pytest
import typer

from yolodsc import cli
from yolodsc.cli.spelling import OPTIONS, with_options
from yolodsc.errors import OptionError, YolodscError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OptionError("nms_thresh=2: expected 0 to 1", parameter="nms_thresh"), "--nms 2: expected 0 to 1"),
        (
            OptionError("a.weights: too short; partial=True accepts it", parameter="partial"),
            "a.weights: too short; --partial accepts it",
        ),
        (OptionError("classes: names no class", parameter="classes"), "--classes: names no class"),
        (OptionError("the student has other classes", parameter="teacher"), "the student has other classes (--teacher)"),
        (OptionError("subframes=1: expected 2", parameter="frames"), "subframes=1: expected 2"),
        (OptionError("thresh=2: expected 0 to 1"), "thresh=2: expected 0 to 1"),
        (YolodscError("anything else"), "anything else"),
    ],
)
def test_a_parameter_is_printed_as_its_option(error: YolodscError, text: str) -> None:
    """Texts that name no parameter stay as they are."""
    assert with_options(error) == text


def test_every_spelling_is_an_option_of_a_subcommand() -> None:
    """The table holds no option that does not exist."""
    group = typer.main.get_command(cli.app)
    context = typer.Context(group)
    subcommands = [group.get_command(context, name) for name in cli.COMMANDS]  # type: ignore[attr-defined]
    options = {option for command in subcommands for parameter in command.params for option in parameter.opts}

    assert set(OPTIONS.values()) <= options


def test_the_command_line_prints_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown network is reported with the option that named it."""
    status = cli.run(["summary", "--model", "nosuch"])

    assert status == 2
    assert capsys.readouterr().err.startswith("yolodsc: --model nosuch: neither a directory nor a shipped network")
