"""``yolodsc completion``."""

from enum import StrEnum
from typing import Annotated

import typer

from yolodsc.cli.terminal import show


class Shell(StrEnum):
    """Shells with completion."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
) -> int:
    """Print the script that completes commands and options in a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    from yolodsc.cli import COMPLETION_VARIABLE

    show(get_completion_script(prog_name="yolodsc", complete_var=COMPLETION_VARIABLE, shell=shell.value))
    return 0
