"""Command lines that are read without Typer, beside Typer's reading of them."""

from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from yolodsc import cli
from yolodsc.cli import application, detect, plain_arguments
from yolodsc.cli.plain_arguments import plain_call

PLAIN = [
    [],
    ["dog.jpg"],
    ["a.jpg", "b=c.jpg", "-", "--quiet"],
    ["--cfg", "a.cfg", "--weights=a.weights", "dog.jpg", "--names", "voc.names"],
    ["dog.jpg", "--thresh", "0.3", "--nms", "1", "--tile-overlap", "0.5", "--threads", "2", "--streams=1"],
    ["--stretch", "--exif", "dog.jpg", "--no-score", "--txt", "labels"],
    ["--letterbox", "--no-exif", "dog.jpg", "--json", "-", "--csv=-"],
    ["dog.jpg", "--classes", "dog,cat", "--size", "512x320", "--precision", "int8", "--tiles", "auto", "--top", "3"],
    ["clip.mp4", "--vid-stride", "2", "--max-frames", "10", "--track", "--trails", "5", "--count-line", "0,1,2,3"],
    ["--json=", "dog.jpg"],
]
LEFT = [
    ["-h"],
    ["dog.jpg", "--help"],
    ["dog.jpg", "--conf", "0.3"],
    ["dog.jpg", "-thresh", "0.3"],
    ["dog.jpg", "--thresh", "2"],
    ["dog.jpg", "--thresh", ".3"],
    ["dog.jpg", "--thresh"],
    ["dog.jpg", "--thresh", "-1"],
    ["dog.jpg", "--quiet=1"],
    ["dog.jpg", "--thresh", "0.3", "--thresh", "0.4"],
    ["dog.jpg", "--json", "--quiet"],
    ["--", "dog.jpg"],
    ["dog.jpg", "--thres", "0.3"],
]


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What each call of `detect` was given."""
    calls: list[dict[str, Any]] = []

    @wraps(detect.detect)
    def recorded(**values: Any) -> int:
        calls.append(values)
        return 7

    monkeypatch.setattr(detect, "detect", recorded)
    monkeypatch.chdir(tmp_path)
    return calls


@pytest.mark.parametrize("line", PLAIN, ids=" ".join)
def test_plain_lines_are_read_as_typer_reads_them(line: list[str], received: list[dict[str, Any]]) -> None:
    """The subcommand receives equal values of the same types, and its status is returned."""
    call = plain_call(["detect", *line], cli.COMMANDS)
    assert call is not None
    assert call() == application.invoked(["detect", *line]) == 7
    by_reader, by_typer = received
    assert by_reader == by_typer
    assert [type(value) for value in by_reader.values()] == [type(by_typer[name]) for name in by_reader]


@pytest.mark.parametrize("line", LEFT, ids=" ".join)
def test_other_lines_are_left_to_typer(line: list[str], received: list[dict[str, Any]]) -> None:
    """Help, aliases, mistakes, repeated options and unusual numbers."""
    assert plain_call(["detect", *line], cli.COMMANDS) is None
    assert not received


def test_other_commands_are_left_to_typer() -> None:
    """Unknown names, aliases of names, and subcommands whose options Typer declares."""
    for words in ([], ["--version"], ["predict", "dog.jpg"], ["nosuch"], ["evaluate"]):
        assert plain_call(words, cli.COMMANDS) is None


def test_the_program_uses_the_plain_reading(monkeypatch: pytest.MonkeyPatch, received: list[dict[str, Any]]) -> None:
    """A plain line never reaches Typer."""
    monkeypatch.setattr(application, "invoked", None)
    assert cli.run(["detect", "dog.jpg"]) == 7
    assert received[0]["sources"] == ["dog.jpg"]
    monkeypatch.setattr(plain_arguments, "_fields", lambda *_: None)
    assert cli.run(["detect", "dog.jpg"]) == 70
