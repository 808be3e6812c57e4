"""Tables on terminals and in pipes."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.support import NETWORK
from yolodsc import cli
from yolodsc.cli.tables import table
from yolodsc.cli.tables.table import aligned, display_width
from yolodsc.cli.terminal import Styled, say, styled

ROWS = [("class", "AP", "TP"), ("猫", "12.50", "3"), ("dog", "7.00", "12")]


def plain(text: str) -> str:
    """Text without escape codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_wide_characters_take_two_columns() -> None:
    """And combining ones none, so that columns stay straight."""
    lines = aligned(ROWS, left=1)

    assert [display_width(text) for text in ("abc", "猫", "ｱ", "e\u0301", "")] == [3, 2, 1, 1, 0]
    assert len({display_width(line) for line in lines}) == 1
    assert lines == ["class     AP  TP", "猫     12.50   3", "dog     7.00  12"]


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on below with its first column; in a pipe it stays whole."""
    rows = [["class", *(f"rule{n}" for n in range(20))], ["dog", *("50.00" for _ in range(20))]]

    whole = aligned(rows, left=1)
    monkeypatch.setattr(table, "terminal_width", lambda: 80)
    split = aligned(rows, left=1, indent=2)

    assert len(whole) == 2
    assert max(map(len, split)) <= 80
    assert [line.split()[0] for line in split if line] == ["class", "dog"] * 3
    assert [word for line in split for word in line.split() if word.startswith("rule")] == rows[0][1:]


def test_styles_show_on_terminals_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The text is the same; NO_COLOR wins; controls inside of styled text are escaped."""
    lines = [*aligned(ROWS, left=1, bold=(1,)), styled("total\x1b[2J", "bold"), "plain"]
    outputs = []
    for environment in (
        {},
        {"FORCE_COLOR": "1", "TERM": "xterm"},
        {"FORCE_COLOR": "1", "NO_COLOR": "1"},
        {"FORCE_COLOR": "1", "TERM": "dumb"},
    ):
        with monkeypatch.context() as patch:
            for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            say(*lines)
        outputs.append(capsys.readouterr().out)

    assert "\x1b" not in outputs[0]
    assert outputs[0] == outputs[2] == outputs[3] == plain(outputs[1])
    assert "\x1b[1m12.50\x1b[0m" in outputs[1]
    assert "\x1b[2mclass" in outputs[1]
    assert "\x1b[1mtotal\\x1b[2J\x1b[0m" in outputs[1]


def test_a_styled_line_is_text() -> None:
    """It can be compared, measured and joined."""
    assert Styled("abc", [(0, 1, "bold")]) == "abc"
    assert f"{styled('x', 'bold')}y" == "xy"


def test_boxes_are_printed_inside_the_image(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In whole pixels and never as -0; files keep the boxes as they are."""
    cli.run(["detect", "a.png", *NETWORK, "--thresh", ".01", "--json", "o.json"])

    rows = [line.split()[2:] for line in capsys.readouterr().out.splitlines()[2:]]
    sides = [entry["relative_coordinates"] for entry in json.loads((here / "o.json").read_text())[0]["objects"]]
    assert rows
    assert all(0 <= int(x) <= limit for row in rows for x, limit in zip(row, (100, 76, 100, 76), strict=True))
    assert not any(word.startswith("-") for row in rows for word in row)
    assert any(side["center_x"] - side["width"] / 2 < 0 for side in sides)


@pytest.mark.slow
def test_detect_on_an_image_imports_no_rich() -> None:
    """Colours and tables take no time at the start."""
    from tests.cli.support import run

    code = "import sys, yolodsc.cli as c; c.run(sys.argv[1:]); print('rich' in sys.modules)"
    path = next((Path(__file__).parents[1] / "golden/images").glob("*.png"))
    done = run(shell=f'{sys.executable} -c "{code}" detect {path}')

    assert done.stdout.splitlines()[-1] == "False", done.stderr
