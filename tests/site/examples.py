"""Examples on the pages of the documentation: blocks of code, and how they run."""

import ast
import doctest
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from yolodsc import cli
from yolodsc.cli.aliases import with_pairs
from yolodsc.cli.command import PAIRS
from yolodsc.values import Value

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?:<!-- (?:not run: (?P<reason>[^\n]*?)|(?P<fails>fails)) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TIMES = re.compile(r"[\d.]+(?= (?:ms|s|images/s)\b)|(?<=read )[\d.]+|(?<=network )[\d.]+|(?<=post )[\d.]+|(?<=\()[\d.]+(?= fps\))")

NOT_RUN = ("pip", "python", "ls", "jq", "cd", "git", "docker")
"""First words of commands in `console` blocks that are not yolodsc's and that no test runs."""


class Block(Value):
    """A block of code: its language, its text, its line, why it is not run, if it is not, and whether its command fails."""

    language: str
    text: str
    line: int
    reason: str | None
    fails: bool


class Command(Value):
    """A command of a `console` block, and the lines below it."""

    line: str
    output: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    """All blocks of code of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["text"],
            text.count("\n", 0, found.start("language")) + 1,
            found["reason"],
            bool(found["fails"]),
        )
        for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block: lines that begin with ``$``, continued after a backslash."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        line, *output = part.rstrip("\n").split("\n")
        yield Command(line, tuple(output))


def words_of(line: str) -> list[str]:
    """The words of a command line up to a pipe, a redirection or a comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>;&")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = list(lexer)
    return words[: next((number for number, word in enumerate(words) if set(word) <= set("|>;&")), len(words))]


def parse(line: str) -> None:
    """Parse a command of yolodsc as the program does, without running it; raises for a wrong option or value."""
    program, name, *rest = words_of(line)
    assert program == "yolodsc", line
    command: Any = typer.main.get_command(cli.app)
    single = command.get_command(None, name)
    assert single is not None, f"no command {name}"
    with single.make_context(name, with_pairs(rest, PAIRS)) as context:
        assert context.params is not None


def run_command(line: str, *, fails: bool = False) -> None:
    """Run a command of yolodsc in this process; it must succeed, or fail as the page says."""
    words = words_of(line)
    if words[0] in NOT_RUN:
        return
    assert words[0] == "yolodsc", f"unknown program: {line}"
    status = cli.run(words[1:])
    assert status in ((1, 2) if fails else (0,)), f"{line}: exit status {status}"


def run_python(block: Block, names: dict[str, Any], page: str) -> None:
    """Run a block of Python; `pycon` compares what is printed."""
    if block.language == "pycon":
        test = doctest.DocTestParser().get_doctest(block.text, names, page, page, block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        runner.run(test, clear_globs=False)
        names.update(test.globs)
        assert runner.summarize(verbose=False).failed == 0, f"{page}:{block.line}"
        return
    exec(compile(block.text, f"{page}:{block.line}", "exec"), names)


def differences(expected: tuple[str, ...], printed: str) -> list[str]:
    """Expected lines that are not among the printed ones in their order; ``…`` stands for any lines, times do not count."""
    remaining = iter(printed.splitlines())
    return [line for line in expected if line.strip() not in ("…", "") and not any(alike(line, other) for other in remaining)]


def alike(expected: str, printed: str) -> bool:
    """Whether two lines have the same words, and numbers within 2 % or 2 units of the last place; ``…`` at an end cuts both."""
    expected, printed = (_TIMES.sub("T", line.rstrip().replace(os.sep, "/")) for line in (expected, printed))
    if expected.endswith("…"):
        expected = expected[:-1]
        pattern = _NUMBER.sub("N", expected)
        printed = printed if not _NUMBER.sub("N", printed).startswith(pattern) else _cut(printed, pattern)
    if _words(expected) != _words(printed):
        return False
    pairs = zip(_NUMBER.findall(expected), _NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= max(0.02 * abs(float(a)), 2 * 10.0 ** -len(a.partition(".")[2])) for a, b in pairs)


def python_codes(cell: str) -> Iterator[str]:
    """Codes of a cell of a table that are Python: neither commands nor options."""
    for code in re.findall(r"`([^`]+)`", cell):
        if not code.startswith(("yolodsc ", "-")):
            ast.parse(code)
            yield code


def _words(line: str) -> list[str]:
    return _NUMBER.sub("N", line).split()


def _cut(line: str, pattern: str) -> str:
    """The beginning of a line that a pattern of words covers."""
    for end in range(len(line), 0, -1):
        if _NUMBER.sub("N", line[:end]) == pattern:
            return line[:end]
    return line
