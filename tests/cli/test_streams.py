"""Standard streams of any encoding, closed, full or without a reader."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import NETWORK, PACKAGE, complains, posix, remarks, run

pytestmark = pytest.mark.slow


@posix
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"PYTHONIOENCODING": "utf-16"},
    ],
)
def test_names_that_no_stream_can_say_are_escaped(environment: dict[str, str], here: Path) -> None:
    """From arguments, lists and standard input, on terminals of any encoding; files keep the true name."""
    name = b"\xff\xc3\xa9.png"
    shutil.copyfile(here / "a.png", os.fsencode(here) + b"/" + name)
    (here / "list.txt").write_bytes(name + b"\n")
    codec = "utf-16" if "utf-16" in environment.values() else "utf-8"
    said = {"ascii": r"\xff\xc3\xa9.png", "utf": r"\xffé.png"}["ascii" if "LC_ALL" in environment else "utf"]

    sources = {os.fsdecode(name): "exec {}", "list.txt": "exec {}", "-": "exec {} < list.txt"}
    for number, (source, shell) in enumerate(sources.items()):
        words = ["sh", "-c", shell.format('"$@"'), "sh", sys.executable, "-m", "yolodsc", "detect", source]
        own = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
        done = subprocess.run(
            [*words, *NETWORK, "--save", f"out{number}", "--json", "o.json"], env=own, capture_output=True, check=False
        )

        assert (done.returncode, remarks(done.stderr.decode("ascii", "replace").replace("\0", "").lstrip("\ufffd"))) == (0, "")
        assert done.stdout.decode(codec).startswith(f"{said}: 100x76")
        assert [os.fsencode(path.name) for path in (here / f"out{number}").iterdir()] == [name]
    complains(run("detect", os.fsdecode(b"\xfe"), *NETWORK, **{**environment, "PYTHONIOENCODING": "ascii"}), r"\xfe: no such file")


@posix
def test_help_fits_an_ascii_terminal(here: Path) -> None:
    """Its ellipsis is escaped."""
    done = run("detect", "--help", PYTHONIOENCODING="ascii:strict")

    assert (done.returncode, done.stderr) == (0, "")
    assert "SOURCE" in done.stdout


@posix
def test_closed_streams_are_reported_where_they_matter(here: Path) -> None:
    """Nothing is printed into a file that took the place of the stream."""
    detect = ["detect", "a.png", *NETWORK, "--thresh", "1"]

    complains(run("detect", "-", *NETWORK, shell="exec {} <&-"), "standard input: cannot be read")
    complains(run(*detect, shell="exec {} >&-"), "standard output: cannot be written: Bad file descriptor")
    complains(run("detect", "--help", shell="exec {} >&-"), "standard output: cannot be written")
    assert run(*detect, "--quiet", "--json", "o.json", shell="exec {} <&- >&- 2>&-").returncode == 0
    assert json.loads((here / "o.json").read_text())[0]["filename"] == "a.png"
    assert run("detect", "nothing.png", *NETWORK, shell="exec {} 2>&-").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["detect", "a.png", *NETWORK], ["--help"], ["--version"], ["info"]])
def test_output_that_is_full_is_said_in_one_line(arguments: list[str], here: Path) -> None:
    """Of results, help and version."""
    complains(run(*arguments, shell="exec {} > /dev/full"), "standard output: cannot be written: No space left on device")


@posix
def test_a_reader_that_leaves_ends_the_program_quietly(here: Path) -> None:
    """As in ``| head -1``: nothing on standard error."""
    done = run("detect", *["a.png"] * 200, *NETWORK, "--thresh", "0", shell="{{ {}; echo $? > status; }} | head -1")

    assert done.stdout.startswith("a.png: 100x76")
    assert remarks(done.stderr) == ""
    assert (here / "status").read_text() == "141\n"
