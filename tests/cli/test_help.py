"""Help, hints, aliases, and completion."""

import os
import re
import shlex
from pathlib import Path

import pytest
import typer

from tests.cli.support import NETWORK, remarks, run
from yolodsc import cli
from yolodsc.cli.aliases import COMMAND_ALIASES, IGNORED, SPELLINGS
from yolodsc.cli.examples import EXAMPLES
from yolodsc.cli.terminal import colours


def helped(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints."""
    assert cli.run(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_option_in_its_group(command: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In at most 80 columns, whole, without escape codes in a pipe."""
    text = helped(command, option, capsys=capsys)

    single = typer.main.get_command(cli.app).get_command(None, command)
    assert all(name in text for parameter in single.params for name in parameter.opts if name.startswith("--"))
    assert "General options" in text
    assert "\x1b" not in text
    assert "…\n" not in text
    assert max(map(len, text.splitlines())) <= 80 or command in EXAMPLES


def test_the_program_lists_its_commands_with_whole_summaries(capsys: pytest.CaptureFixture[str]) -> None:
    """The same text with and without -h."""
    text = helped(capsys=capsys)

    words = " ".join(text.split())
    assert text == helped("-h", capsys=capsys)
    for name in cli.COMMANDS:
        summary = typer.main.get_command(cli.app).get_command(None, name).help
        assert f"{name} {' '.join(summary.split())}" in words


def test_help_has_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And never with NO_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    coloured = helped(capsys=capsys)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = helped(capsys=capsys)

    assert "\x1b[1mUsage: " in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert not colours(None)


@pytest.mark.parametrize(("command", "line"), [(name, line) for name, lines in EXAMPLES.items() for line, _ in lines])
def test_the_examples_of_the_help_parse(command: str, line: str) -> None:
    """Every option and argument exists; nothing runs."""
    words = shlex.split(line.partition("|")[0].replace('eval "$(', "").replace(')"', ""))
    name = words[1]
    assert words[0] == "yolodsc"
    assert command in ("", name)
    single = typer.main.get_command(cli.app).get_command(None, name)

    with single.make_context(name, words[2:]) as context:
        assert context.params is not None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["detect", "--tresh", ".2"], "--tresh: no such option of yolodsc detect; did you mean --thresh?"),
        (["evaluate", "--confidance", ".2"], "--confidance: no such option of yolodsc evaluate; did you mean --thresh?"),
        (["detect", "--save-txt"], "--save-txt: no such option of yolodsc detect; did you mean --txt DIR?"),
        (["detect", "--qwxyz"], "--qwxyz: no such option of yolodsc detect; 'yolodsc detect -h' lists all options"),
        (["detct", "a.jpg"], "detct: no such command; did you mean detect?"),
        (["predct"], "predct: no such command; did you mean predict?"),
        (["xyzzy"], "xyzzy: no such command; expected detect evaluate"),
    ],
)
def test_near_misses_are_answered(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, with status 2."""
    assert cli.run(arguments) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"yolodsc: {expected}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-thresh", ".05"],
        ["--conf", ".05"],
        ["--conf=.05"],
        ["--conf_thres", ".05"],
        ["--thresh", ".05", "--iou", ".45"],
        ["--thresh", ".05", "--imgsz", "64x48"],
        ["-thresh", ".05", "-ext_output", "-dont_show", "--device", "cpu"],
        ["--thresh", ".05", "--tile_overlap", ".2"],
    ],
)
def test_spellings_of_other_programs_work(words: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They give what the options of this program give."""
    size = ["--size", "64x48"] if "--imgsz" in words else []
    cli.run(["detect", "a.png", *NETWORK, "--thresh", ".05", *size, "--csv", "-"])
    expected = capsys.readouterr().out

    assert cli.run(["predict", "--source", "a.png", *NETWORK, *words, "--csv", "-"]) == 0

    assert capsys.readouterr().out == expected != ""


def test_aliases_are_hidden_and_stand_for_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Every alias has a target in some command; none hides an option or appears in help."""
    group = typer.main.get_command(cli.app)
    options = {name: {opt for p in group.get_command(None, name).params for opt in p.opts} for name in cli.COMMANDS}
    every = set().union(*options.values())

    assert {target for targets in SPELLINGS.values() for target in targets} <= every | {"--letterbox"}
    assert not (set(IGNORED) & every)
    assert set(COMMAND_ALIASES.values()) <= set(cli.COMMANDS)
    assert "--imgsz" not in helped("detect", "-h", capsys=capsys)


def test_ignored_options_are_mentioned(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is dropped in silence; what follows -- is no option."""
    cli.run(["detect", "a.png", *NETWORK, "-ext_output"])
    assert "yolodsc: -ext_output: ignored; it changes nothing here\n" in capsys.readouterr().err
    cli.run(["detect", *NETWORK, "--", "-ext_output"])
    assert remarks(capsys.readouterr().err) == "yolodsc: -ext_output: no such file or directory\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"), [("yolodsc de", {"detect", "decompose"}), ("yolodsc detect --ti", {"--tiles", "--tile-overlap"})]
)
def test_shells_complete_commands_and_options(words: str, expected: set[str]) -> None:
    """As the script of `yolodsc completion` asks."""
    done = run(_YOLODSC_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))

    assert set(done.stdout.split()) == expected
    assert "_YOLODSC_COMPLETE=complete_bash" in run("completion", "bash").stdout
    assert os.environ.get("_YOLODSC_COMPLETE") is None
