"""The command line in environments that nobody would choose: one line and an exit status, never a traceback."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import GOLDEN
from yolodsc import cli
from yolodsc.cli import signals
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import printable
from yolodsc.detection.model_files import resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import nearest, replacing, resolved
from yolodsc.images.image import write_image

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]
PACKAGE = Path(__file__).parents[1] / "yolodsc"
LONG = "x" * 300
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals, descriptors and file names")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one image and two loops of links."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (76, 100, 3), np.uint8))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    return tmp_path


def run(*arguments: str, shell: str = "{}", **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, in a shell that may redirect or limit it; undecodable output is escaped."""
    words = [sys.executable, "-m", "yolodsc", *arguments]
    command = ["sh", "-c", shell.format('"$@"'), "sh", *words]
    own = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    return subprocess.run(
        command, env=own, capture_output=True, encoding="utf-8", errors="backslashreplace", check=False, timeout=120
    )


def remarks(text: str) -> str:
    """What was said on standard error but for the line that a slow machine gets while kernels are compiled."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("yolodsc: compiling kernels"))


def complains(done: "subprocess.CompletedProcess[str]", text: str, *, status: int = 2) -> None:
    """See that there is one line with this text and this exit status."""
    said = remarks(done.stderr)
    assert (done.returncode, said.count("\n")) == (status, 1), said
    assert said.startswith("yolodsc: ")
    assert text in said


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
    assert captured.err.count("\n") == 3
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


@posix
def test_without_a_working_directory_absolute_paths_serve(here: Path) -> None:
    """And relative ones are not found."""
    shell = "mkdir gone; cd gone; rmdir ../gone; exec {}"
    absolute = [str(here / "a.png"), *NETWORK, "--thresh", "1"]

    assert run("detect", *absolute, "--json", str(here / "o.json"), shell=shell).returncode == 0
    complains(run("detect", "a.png", *NETWORK, shell=shell), "a.png: no such file")
    complains(run("detect", *absolute, "--csv", "o.csv", shell=shell), "o.csv: cannot be written")
    complains(run("decompose", *NETWORK, "--images", str(here / "a.png"), "--out", "o", shell=shell), "")


@posix
def test_without_a_home_everything_runs(here: Path) -> None:
    """The cache is looked for elsewhere, or done without."""
    for home in ("unset HOME", "HOME=", "HOME=relative"):
        done = run("detect", "a.png", *NETWORK, shell=f"{home}; export HOME; exec {{}}", YOLODSC_CACHE="", XDG_CACHE_HOME="")
        assert (done.returncode, remarks(done.stderr)) == (0, ""), home

    assert not (here / "relative").exists()


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

    runs = ((os.fsdecode(name), "exec {}"), ("list.txt", "exec {}"), ("-", "exec {} < list.txt"))
    for folder, (source, shell) in zip("xyz", runs, strict=True):  # standard input may name any file that exists: one folder a run
        words = ["sh", "-c", shell.format('"$@"'), "sh", sys.executable, "-m", "yolodsc", "detect", source]
        own = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
        done = subprocess.run([*words, *NETWORK, "--save", folder, "--json", "o.json"], env=own, capture_output=True, check=False)

        assert (done.returncode, remarks(done.stderr.decode("ascii", "replace").replace("\0", "").lstrip("\ufffd"))) == (0, "")
        assert done.stdout.decode(codec).startswith(f"{said}: 100x76")
        assert [os.fsencode(path.name) for path in (here / folder).iterdir()] == [name]
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


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
@pytest.mark.parametrize("kilobytes", [30_000, 80_000, 120_000, 160_000])
def test_too_little_memory_is_said_in_one_line(kilobytes: int, here: Path) -> None:
    """While Python, NumPy, OpenCV or LLVM are loaded."""
    shell = f"ulimit -v {kilobytes}; exec {{}}"

    complains(run("detect", "a.png", *NETWORK, shell=shell, OPENBLAS_NUM_THREADS="1"), "out of memory")


class Raised:
    """A function that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: object, **__: object) -> Any:
        raise self.error


def insufficient() -> BaseException:
    """What OpenCV raises where an array cannot be had."""
    import cv2

    return cv2.error("OpenCV(4.13) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes\n in function 'x'\n")


def caused() -> BaseException:
    """A library's error over a lack of memory."""
    error = ImportError("could not load", name="library")
    error.__cause__ = MemoryError()
    return error


SUMMARY = ["summary", "--cfg", f"{STEM}.cfg"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MemoryError(), 2, "out of memory; expected"),
        (MemoryError("Unable to allocate 3 GiB"), 2, "out of memory (Unable to allocate 3 GiB); expected"),
        (insufficient(), 2, "out of memory (OpenCV"),
        (caused(), 2, "out of memory"),
        (RuntimeError("can't start new thread"), 2, "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 2, "out of memory"),
        (OSError(errno.EMFILE, "Too many open files"), 2, "Too many open files"),
        (OSError(errno.ESTALE, "Stale file handle", "some.weights"), 2, "some.weights: Stale file handle"),
        (ImportError("no symbol", name="cv2"), 2, "cv2 cannot be loaded: no symbol"),
        (KeyError("a\n\x1b[31mb"), 70, "defect of yolodsc in yolodsc/cli/summary.py"),
        (OSError(errno.EBADF, "Bad file descriptor"), 70, "defect of yolodsc"),
        (ImportError("cannot import name 'x'", name="yolodsc.darknet.cfg"), 70, "defect of yolodsc"),
        (AssertionError(), 70, "AssertionError"),
        (RecursionError("too deep"), 70, "YOLODSC_TRACEBACK=1"),
    ],
)
def test_what_nobody_foresaw_is_one_line_that_says_whose_fault_it_is(
    error: BaseException, status: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine's: 2; the program's: 70, with the way to the traceback."""
    monkeypatch.setattr("yolodsc.cli.summary.summarise", Raised(error))

    found = cli.run(SUMMARY)

    err = capsys.readouterr().err
    assert (found, err.count("\n")) == (status, 1)
    assert text in err
    assert "\x1b" not in err


def test_the_traceback_is_printed_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the line."""
    monkeypatch.setenv("YOLODSC_TRACEBACK", "1")
    monkeypatch.setattr("yolodsc.cli.summary.summarise", Raised(KeyError("x")))

    assert cli.run(SUMMARY) == 70

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("yolodsc: defect of yolodsc in yolodsc/cli/summary.py")


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
    assert captured.err.count("\n") == 2
    assert captured.out.startswith(r"e\x1b[31m\u202e\nvil.png: 100x76")
    (frame,) = json.loads((here / "o.json").read_text())
    assert frame["filename"] == name
    assert {found["name"] for found in frame["objects"]} <= set(classes)
    assert any(found["name"] == classes[0] for found in frame["objects"])


def test_one_file_prints() -> None:
    """So that nothing reaches a terminal without being escaped."""
    sources = {path: path.read_text() for path in (*(PACKAGE / "cli").rglob("*.py"), *PACKAGE.glob("*.py"))}

    printing = {
        path.name for path, text in sources.items() if re.search(r"\bprint\(|\.write\(.*std|std(out|err)\.write|echo\(", text)
    }

    assert printing == {"__main__.py", "terminal.py"}  # the former where memory is out before anything is there


def test_rich_reads_no_markup() -> None:
    """Every text column of a progress bar says so."""
    columns = [line for path in (PACKAGE / "cli").rglob("*.py") for line in path.read_text().splitlines() if "TextColumn(" in line]

    assert columns
    assert all("TextColumn(" in line and "markup=False" in line for line in columns)


def test_questions_about_paths_are_asked_where_they_always_have_an_answer() -> None:
    """``Path.exists`` and its kin raise for names that are too long, before Python 3.14."""
    files = [path for folder in ("cli", "detection", "evaluation") for path in (PACKAGE / folder).rglob("*.py")]

    asking = [path.name for path in files if re.search(r"\.(exists|is_file|is_dir|resolve)\(\)", path.read_text())]

    assert asking == []
    assert nearest(Path(LONG) / "a") == Path.cwd()
    assert resolved("a\0b") == Path("a\0b")


def test_a_shipped_network_is_found_by_name_not_by_the_folder_that_is_there(here: Path) -> None:
    """A path that cannot be looked up names nothing."""
    with pytest.raises(OptionError):
        resolve_model("loop")


def attentive() -> None:
    """Take signals as a process in the foreground does; a shell makes those in the background ignore Ctrl-C."""
    for number in signals.SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def started(arguments: Sequence[str], *, first: Callable[[], Any] = attentive) -> "subprocess.Popen[str]":
    """A process that has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        preexec_fn=first,  # noqa: PLW1509  # nothing else runs in the test
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


LONG_RUN = ["-u", "-m", "yolodsc", "detect", "list.txt", *NETWORK, "--thresh", "1", "--json", "o.json", "--csv", "o.csv"]


@posix
@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_leaves_nothing_half_written(number: int, here: Path) -> None:
    """The exit status is 128 and its number, nothing is said, and results so far are put in place whole."""
    (here / "list.txt").write_text("a.png\n" * 20_000)
    process = started(LONG_RUN)
    temporaries = list(here.glob(".o.*"))

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert temporaries
    assert (process.returncode, remarks(err)) == (128 + number, "")
    assert not list(here.glob(".*"))
    assert 0 < len(json.loads((here / "o.json").read_text())) < 20_000


UNWILLING = """
import sys, time
from yolodsc.cli import signals
signals.install()
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    print("cleaning up", flush=True)
    time.sleep(60)
"""


@posix
def test_the_second_signal_kills_at_once() -> None:
    """Whatever the first has started."""
    process = started(["-c", UNWILLING])
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning up\n"

    process.send_signal(signal.SIGTERM)

    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


@posix
def test_a_signal_that_the_parent_ignores_stays_ignored(here: Path) -> None:
    """As under ``nohup``."""
    (here / "list.txt").write_text("a.png\n" * 30)

    process = started(LONG_RUN, first=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert (here / "o.json").is_file()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_is_asked_to_end_by_any_signal(number: signal.Signals) -> None:
    """The exit status is that of the signal; handlers are put back."""
    ignored = signal.signal(number, signal.default_int_handler)
    before = [signal.getsignal(known) for known in signals.SIGNALS]
    asked: list[bool] = []

    with pytest.raises(KeyboardInterrupt) as caught, signals.gently(lambda: asked.append(True)):
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        raise KeyboardInterrupt

    after = [signal.getsignal(known) for known in signals.SIGNALS]
    signal.signal(number, ignored)
    assert asked == [True]
    assert getattr(caught.value, "number", signal.SIGINT) == number
    assert after == before


def test_a_file_that_replaces_another_has_the_mode_of_a_new_one(tmp_path: Path) -> None:
    """As the umask has it."""
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "x", error=OptionError) as file:
            file.write(b"x")
    finally:
        os.umask(before)

    assert (tmp_path / "x").stat().st_mode & 0o777 == (0o666 if os.name == "nt" else 0o640)
