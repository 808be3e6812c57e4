"""The command reference, generated from the Typer application: one page for each subcommand, and a list of them."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import typer

from tools.website.page import GeneratedPage
from yolodsc import cli
from yolodsc.cli.aliases import COMMAND_ALIASES
from yolodsc.cli.examples import EXAMPLES
from yolodsc.cli.help import description, option_groups, spellings, usage, word_of

FOLDER = "reference/commands"

GUIDES = {
    "detect": "detect.md",
    "evaluate": "evaluation.md",
    "audit": "audit.md",
    "decompose": "decomposition.md",
    "separate": "decomposition.md",
    "quantize": "quantization.md",
    "optimize": "optimize.md",
    "finetune": "finetune.md",
    "anchors": "detect.md#anchors",
    "convert": "convert.md",
    "summary": "engine.md",
    "bench": "performance.md",
    "warmup": "engine.md#start",
    "info": "platforms.md",
    "completion": "detect.md#terminal",
}
"""The page that explains a command."""

STATUSES = (
    ("0", "success"),
    ("1", "some of many images or frames failed; the others were processed"),
    ("2", "an invalid option or input, or the machine, ended the run; one line says why"),
    ("70", "a defect of yolodsc; `YOLODSC_TRACEBACK=1` prints the traceback"),
    ("128 + N", "signal N ended the run: 130 after Ctrl-C, 143 after SIGTERM, 141 if the reader of the output has gone"),
)
"""Exit statuses, as the docstring of ``yolodsc.cli`` lists them."""


@cache
def command_pages() -> tuple[GeneratedPage, ...]:
    """The list of commands, and the page of each."""
    group: Any = typer.main.get_command(cli.app)
    pages = [_page(name, group.get_command(None, name)) for name in cli.COMMANDS]
    rows = [(f"[`yolodsc {name}`]({name}.md)", _line(group.get_command(None, name).help)) for name in cli.COMMANDS]
    text = "\n\n".join(
        [
            "# Commands",
            "`yolodsc COMMAND -h` prints the same in the terminal. `yolodsc --version` prints the version.",
            _table(("command", "purpose"), rows),
            "## Exit status",
            _table(("status", "meaning"), STATUSES),
        ]
    )
    return (GeneratedPage(f"{FOLDER}/index.md", "All commands", text), *pages)


def _page(name: str, command: Any) -> GeneratedPage:
    """Usage, purpose, examples, arguments and options of one command."""
    with command.make_context(f"yolodsc {name}", [], resilient_parsing=True) as context:
        parameters = [parameter for parameter in command.get_params(context) if not getattr(parameter, "hidden", False)]
        arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
        parts = [f"# yolodsc {name}", _line(command.help), f"```\n{usage(f'yolodsc {name}', arguments)}\n```"]
        parts.append(f"[Explanations and examples](../../{GUIDES[name]})")
        parts += [f"`yolodsc {alias}` is another name of this command." for alias, of in COMMAND_ALIASES.items() if of == name]
        if lines := EXAMPLES.get(name):
            parts += ["## Examples", "```\n" + "\n".join(f"{line}  # {text}" for line, text in lines) + "\n```"]
        if arguments:
            rows = [(f"`{word_of(argument)}`", _cell(argument.help or "")) for argument in arguments]
            parts += ["## Arguments", _table(("argument", "meaning"), rows)]
        for title, options in option_groups(parameters).items():
            rows = [(f"`{spellings(option, context).plain.strip()}`", _cell(description(option))) for option in options]
            parts += [f"## {title}", _table(("option", "meaning"), rows)]
    return GeneratedPage(f"{FOLDER}/{name}.md", name, "\n\n".join(parts))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    """A cell of a table, in which words such as ``--size`` and ``<name>`` are code."""
    plain = _line(text).replace("|", "\\|")
    return re.sub(r"(?<![\w`-])(--?[a-z][\w-]*|<\w+>)", r"`\1`", plain).replace("*", "\\*")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
