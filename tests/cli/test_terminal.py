"""Text on a terminal: nothing in it controls the terminal, and one file prints it."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.support import NETWORK, PACKAGE, posix, remarks
from yolodsc import cli
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import printable

EVIL = "e\x1b]0;title\x07\x9b31m\r\n\tv\u202eil\u2066\udcff\x7f[red]"

SAFE = r"e\x1b]0;title\x07\x9b31m\r\n\tv\u202eil\u2066\xff\x7f[red]"


def test_nothing_in_a_text_controls_a_terminal() -> None:
    """C0, C1, ESC, DEL, direction of writing, undecodable bytes; letters of any language stay."""
    assert printable(EVIL) == SAFE
    assert printable("Ünïcode 車 कार 🚗") == "Ünïcode 車 कार 🚗"
    assert all(len(printable(chr(code))) > 1 for code in (*range(32), *range(127, 160)))


def test_columns_are_aligned_after_escaping() -> None:
    """And a newline in a cell is no new row."""
    first, second = aligned([("a\n", "1"), ("longer", "22")], left=1)

    assert (first, second) == (r"a\n      1", "longer  22")


@posix
def test_names_of_files_and_classes_are_escaped_on_the_terminal_only(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results, errors and usage errors; JSON and CSV have the true names."""
    name = "e\x1b[31m\u202e\nvil.png"
    (here / name).write_bytes((here / "a.png").read_bytes())
    classes = ["c\x1b[2Jat", "d\u202eog", "[bold]x", "d", "e"]
    (here / "c.names").write_text("\n".join(classes))

    options = ["--names", "c.names", "--json", "o.json", "--csv", "o.csv", "--thresh", ".05"]
    statuses = [
        cli.run(["detect", name, *NETWORK, *options]),
        cli.run(["detect", f"no{name}", *NETWORK]),
        cli.run(["detect", f"--{name}"]),
    ]

    captured = capsys.readouterr()
    assert statuses == [0, 2, 2]
    assert not set(captured.out + captured.err) & {"\x1b", "\u202e", "\r"}
    assert remarks(captured.err).count("\n") == 2
    assert captured.out.startswith(r"e\x1b[31m\u202e\nvil.png: 100x76")
    (frame,) = json.loads((here / "o.json").read_text())
    assert frame["filename"] == name
    assert {found["name"] for found in frame["objects"]} <= set(classes)
    assert any(found["name"] == classes[0] for found in frame["objects"])


def test_one_file_prints() -> None:
    """So that nothing reaches a terminal without being escaped; the console of the help keeps what it prints."""
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py")}

    printing = {
        path.name
        for path, text in sources.items()
        if re.search(r"(?<!console\.)\bprint\(|\.write\(.*std|std(out|err)\.write|echo\(", text)
    }

    assert printing == {"__main__.py", "terminal.py"}  # the former where memory is out before anything is there


def test_rich_reads_no_markup() -> None:
    """Every text column of a progress bar says so."""
    columns = [line for path in (PACKAGE / "cli").glob("*.py") for line in path.read_text().splitlines() if "TextColumn(" in line]

    assert columns
    assert all("TextColumn(" in line and "markup=False" in line for line in columns)
