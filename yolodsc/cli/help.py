"""The help of commands: usage, purpose, examples, and options in groups; two columns that wrap, in colour on a terminal."""

import sys
from collections.abc import Iterable
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from yolodsc.cli.examples import EXAMPLES
from yolodsc.cli.terminal import colours

MAX_WIDTH = 100
"""Longer lines are harder to read."""

GENERAL = "General options"
"""The group of options without another one."""


def command_help(command: Any, context: Any) -> str:
    """The help of one subcommand."""
    console = _console()
    parameters = [parameter for parameter in command.get_params(context) if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    words = [word_of(parameter) for parameter in arguments]
    _usage(console, usage(context.command_path, arguments))
    console.print(Text(_paragraph(command.help)))
    _examples(console, EXAMPLES.get(command.name or "", ()))
    _section(console, "Arguments", [(Text(word), parameter.help or "") for word, parameter in zip(words, arguments, strict=True)])
    for title, options in option_groups(parameters).items():
        _section(console, title, [(spellings(option, context), description(option)) for option in options])
    return _text(console)


def usage(path: str, arguments: Iterable[Any]) -> str:
    """The command line of a command: what may be left out is in brackets."""
    words = [word_of(argument) if argument.required else f"[{word_of(argument)}]" for argument in arguments]
    return " ".join([path, *words, "[OPTIONS]"])


def word_of(argument: Any) -> str:
    """The word that stands for an argument."""
    return str(argument.metavar or argument.name.upper())


def option_groups(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """The options among the parameters of a command by the title of their group, the general ones last."""
    groups: dict[str, list[Any]] = {}
    for option in parameters:
        if option.param_type_name != "argument":
            groups.setdefault(getattr(option, "rich_help_panel", None) or GENERAL, []).append(option)
    groups[GENERAL] = groups.pop(GENERAL)
    return groups


def group_help(summary: str, commands: Iterable[tuple[str, str]], options: Iterable[Any], context: Any) -> str:
    """The help of the program.

    Parameters
    ----------
    commands
        Names and summaries of the subcommands.
    """
    console = _console()
    _usage(console, "yolodsc COMMAND [ARGUMENTS] [OPTIONS]")
    console.print(Text(summary))
    _examples(console, EXAMPLES[""])
    _section(console, "Commands", [(Text(name), text) for name, text in commands])
    _section(console, "Options", [(spellings(option, context), description(option)) for option in options])
    console.print(Text("\n'yolodsc COMMAND -h' lists the options of a command."))
    return _text(console)


def _console() -> Console:
    """A console that keeps what it prints, as wide as the terminal."""
    colour = colours(sys.stdout)
    width = min(Console().width, MAX_WIDTH)
    return Console(
        file=StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def _text(console: Console) -> str:
    file = console.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().split("\n"))


def _usage(console: Console, text: str) -> None:
    console.print(Text.assemble(("Usage: ", "bold"), text))
    console.print()


def _examples(console: Console, examples: Iterable[tuple[str, str]]) -> None:
    if entries := [(Text(line), text) for line, text in examples]:
        console.print(Text("\nExamples", "bold"))
        for line, text in entries:
            console.print(Text.assemble("  # ", text, style="dim"))
            console.print(Text.assemble("  ", line), soft_wrap=True)


def _section(console: Console, title: str, rows: list[tuple[Text, str]]) -> None:
    if not rows:
        return
    console.print(Text(f"\n{title}", "bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=2)
    table.add_column(max_width=28, style="cyan", overflow="fold")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row("", name, text)
    console.print(table)


def spellings(option: Any, context: Any) -> Text:
    """Spellings of an option and its value."""
    text = " / ".join([", ".join(option.opts), *([", ".join(option.secondary_opts)] if option.secondary_opts else [])])
    return Text(text) if option.is_flag else Text.assemble(text, " ", (_metavar(option, context), "default"))


def _metavar(option: Any, context: Any) -> str:
    if option.metavar:
        return str(option.metavar)
    kind = option.display_type(context).strip("<>[]")
    return {"int": "N", "float": "X", "str": "NAME"}.get(kind.split()[0], kind)


def description(option: Any) -> str:
    """What an option does, and its default."""
    text = option.help or ""
    shown = option.show_default
    default = (
        shown if isinstance(shown, str) else None if option.is_flag or option.default in (None, "", ()) else str(option.default)
    )
    if option.required:
        return f"{text} (required)"
    return f"{text} (default: {default})" if default and not (option.is_flag and not isinstance(shown, str)) else text


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split())
