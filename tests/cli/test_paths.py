"""Paths that lead nowhere: one line and an exit status, never a traceback."""

import errno
import os
import re
from pathlib import Path

import pytest

from tests.cli.support import LONG, NETWORK, PACKAGE, STEM, complains, posix, remarks, run
from yolodsc import cli
from yolodsc.detection.model_files import resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import nearest, replacing, resolved


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["detect", LONG, *NETWORK], "File name too long"),
        (["detect", f"{LONG}.txt", *NETWORK], "File name too long"),
        (["detect", f"{LONG}*", *NETWORK], "no file matches"),
        (["detect", "loop", *NETWORK], "loop: Too many levels of symbolic links"),
        (["detect", "loop.txt", *NETWORK], "loop.txt: Too many levels of symbolic links"),
        (["detect", "loop/a.png", *NETWORK], "Too many levels of symbolic links"),
        (["detect", "a\0.png", *NETWORK], "has a NUL"),
        (["detect", "a.png", *NETWORK, "--json", f"{LONG}.json"], "cannot be written: File name too long"),
        (["detect", "a.png", *NETWORK, "--save", LONG], "cannot be a directory: File name too long"),
        (["detect", "a.png", *NETWORK, "--names", LONG], "File name too long"),
        (["detect", "a.png", "--model", LONG], "neither a directory nor a shipped network"),
        (["detect", "a.png", "--model", "loop"], "neither a directory nor a shipped network"),
        (["detect", "a.png", "--cfg", LONG, "--weights", LONG], "File name too long"),
        (["detect", "a.png", *NETWORK, "--json", "loop/x.json"], "loop/x.json: cannot be written"),
        (["decompose", *NETWORK, "--images", "a.png", "--out", f"{LONG}/{LONG}"], ""),
        (["decompose", *NETWORK, "--images", "a.png", "--out", "loop"], ""),
        (["convert", f"{LONG}.cfg", "out.npz"], "File name too long"),
        (["convert", f"{STEM}.cfg", f"{LONG}.npz"], ""),
        (["evaluate", "--voc", LONG], ""),
        (["evaluate", "--gt", LONG, "--detections", LONG], ""),
        (["evaluate", "--gt", "loop", "--detections", "loop"], ""),
        (["summary", "--cfg", "loop"], "Too many levels of symbolic links"),
        (["summary", "--cfg", f"{STEM}.cfg", "--json", f"{LONG}"], "cannot be written: File name too long"),
        (["finetune", "--student", f"{STEM}.cfg", f"{STEM}.weights", "--images", LONG, "--labels", "--out", LONG], ""),
    ],
)
def test_paths_that_lead_nowhere_are_said_in_one_line(
    arguments: list[str], found: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that are too long, loops of links, NULs; nothing is left behind."""
    status = cli.run(arguments)

    err = capsys.readouterr().err
    assert (status, err.count("\n")) == (2, 1), err
    assert found in err
    assert sorted(path.name for path in here.iterdir()) == ["a.png", "loop", "loop.txt"]


def test_one_of_many_images_may_have_any_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is reported and the rest goes on: exit status 1."""
    (here / "list.txt").write_text(f"{LONG}\nloop\n{'y' * 5000}\na.png\n")

    status = cli.run(["detect", "list.txt", *NETWORK, "--thresh", "1", "--json", "o.json"])

    captured = capsys.readouterr()
    assert status == 1
    assert remarks(captured.err).count("\n") == 3
    assert captured.out.startswith("a.png: 100x76")


@posix
def test_a_folder_that_may_not_be_read_is_said_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root may read everything, so the system's answer is made up."""

    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)

    assert cli.run(["detect", str(here), *NETWORK]) == 2
    assert capsys.readouterr().err == f"yolodsc: {here}: cannot be read: Permission denied\n"


@pytest.mark.slow
@posix
def test_without_a_working_directory_absolute_paths_serve(here: Path) -> None:
    """And relative ones are not found."""
    shell = "mkdir gone; cd gone; rmdir ../gone; exec {}"
    absolute = [str(here / "a.png"), *NETWORK, "--thresh", "1"]

    assert run("detect", *absolute, "--json", str(here / "o.json"), shell=shell).returncode == 0
    complains(run("detect", "a.png", *NETWORK, shell=shell), "a.png: no such file")
    complains(run("detect", *absolute, "--csv", "o.csv", shell=shell), "o.csv: cannot be written")
    complains(run("decompose", *NETWORK, "--images", str(here / "a.png"), "--out", "o", shell=shell), "")


@pytest.mark.slow
@posix
def test_without_a_home_everything_runs(here: Path) -> None:
    """The cache is looked for elsewhere, or done without."""
    for home in ("unset HOME", "HOME=", "HOME=relative"):
        done = run("detect", "a.png", *NETWORK, shell=f"{home}; export HOME; exec {{}}", YOLODSC_CACHE="", XDG_CACHE_HOME="")
        assert (done.returncode, remarks(done.stderr)) == (0, ""), home

    assert not (here / "relative").exists()


def test_questions_about_paths_are_asked_where_they_always_have_an_answer() -> None:
    """``Path.exists`` and its kin raise for names that are too long, before Python 3.14."""
    files = [*(PACKAGE / "cli").rglob("*.py"), *(PACKAGE / "detection").rglob("*.py")]

    asking = [path.name for path in files if re.search(r"\.(exists|is_file|is_dir|resolve)\(\)", path.read_text())]

    assert asking == []
    assert nearest(Path(LONG) / "a") == Path.cwd()
    assert resolved("a\0b") == Path("a\0b")


def test_a_shipped_network_is_found_by_name_not_by_the_folder_that_is_there(here: Path) -> None:
    """A path that cannot be looked up names nothing."""
    with pytest.raises(OptionError):
        resolve_model("loop")


def test_a_file_that_replaces_another_has_the_mode_of_a_new_one(tmp_path: Path) -> None:
    """As the umask has it."""
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "x", error=OptionError) as file:
            file.write(b"x")
    finally:
        os.umask(before)

    assert (tmp_path / "x").stat().st_mode & 0o777 == (0o666 if os.name == "nt" else 0o640)
