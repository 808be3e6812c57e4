"""The kernel cache loads only code that the user's own processes wrote."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.test_objects import Stores, result
from yolodsc import cli
from yolodsc.engine.selection import select_backend
from yolodsc.errors import OptionError
from yolodsc.jit.cache import store, trust
from yolodsc.jit.cache.store import cache_directory, distrust_reason, load_cached, store_cached
from yolodsc.jit.compiler import Compiler
from yolodsc.jit.isa import Isa

ROOT = Path(__file__).parents[2]
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither owners nor modes to check")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to make files of another user")


@pytest.fixture
def isa() -> Isa:
    """Return the instruction set of the kernels."""
    chosen = select_backend(None).isa
    if chosen is None:
        pytest.skip("no kernels can be made here")
    return chosen


@pytest.fixture
def base() -> Iterator[Path]:
    """Return a directory of the user's in a sticky one that any user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of the test, two directories below ``base``."""
    monkeypatch.setenv("YOLODSC_CACHE", str(base / "above/kernels"))
    return base / "above/kernels"


@pytest.fixture
def planted(isa: Isa, folder: Path) -> Path:
    """Write a valid file under the name of the kernel that stores 7, with the code of one that stores 666."""
    result(Compiler(isa), Stores(7))
    (file,) = folder.glob("*.o")
    result(Compiler(isa), Stores(666))
    (other,) = set(folder.glob("*.o")) - {file}
    content = load_cached(other.name)
    assert content is not None
    other.unlink()
    store_cached(file.name, content)
    return file


def test_the_planted_file_would_be_run(isa: Isa, planted: Path) -> None:
    """In a directory that nobody else can write to, the file is loaded; otherwise the other tests would prove nothing."""
    assert result(Compiler(isa), Stores(7)) == 666
    assert distrust_reason() == ""


def owned_by_another(path: Path) -> None:
    """Give a file or link to another user."""
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def linked(path: Path) -> None:
    """Replace the file or directory by a link to it under another name."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def linked_by_another(path: Path) -> None:
    """Create a link that belongs to another user."""
    linked(path)
    owned_by_another(path)


def mode(bits: int) -> Callable[[Path], None]:
    """Set the mode."""
    return lambda path: path.chmod(bits)


@pytest.mark.parametrize(
    ("which", "change"),
    [
        pytest.param("file", mode(0o666), id="a file that all can write"),
        pytest.param("file", mode(0o660), id="a file that a group can write"),
        pytest.param("file", linked, id="a link in place of the file"),
        pytest.param("file", owned_by_another, id="a file of another user", marks=as_root),
        pytest.param("folder", mode(0o777), id="a folder that all can write"),
        pytest.param("folder", mode(0o1777), id="a sticky folder that all can write"),
        pytest.param("folder", mode(0o770), id="a folder that a group can write"),
        pytest.param("folder", owned_by_another, id="a folder of another user", marks=as_root),
        pytest.param("folder", linked_by_another, id="a link of another user in place of the folder", marks=as_root),
        pytest.param("above", mode(0o777), id="a parent that all can write"),
        pytest.param("above", owned_by_another, id="a parent of another user", marks=as_root),
        pytest.param("above", linked_by_another, id="a link of another user in place of a parent", marks=as_root),
    ],
)
def test_what_somebody_else_could_have_written_is_not_run(
    isa: Isa, planted: Path, which: str, change: Callable[[Path], None]
) -> None:
    """The kernel is compiled again, in memory only if the directory is not trusted."""
    change({"file": planted, "folder": planted.parent, "above": planted.parents[1]}[which])

    compiler = Compiler(isa)

    assert result(compiler, Stores(7)) == 7
    assert compiler.compiled == 1
    assert (distrust_reason() == "") == (which == "file")


@pytest.mark.parametrize(
    ("which", "change"),
    [
        pytest.param("folder", mode(0o755), id="others may read"),
        pytest.param("folder", linked, id="a link of the user's own"),
        pytest.param("above", linked, id="a parent that is a link of the user's own"),
        pytest.param("above", mode(0o1777), id="a sticky parent"),
    ],
)
def test_what_only_the_user_could_have_written_serves(isa: Isa, folder: Path, which: str, change: Callable[[Path], None]) -> None:
    """Links to another disk and directories below ``/tmp`` are included."""
    result(Compiler(isa), Stores(7))
    change(folder if which == "folder" else folder.parent)

    compiler = Compiler(isa)

    assert result(compiler, Stores(7)) == 7
    assert compiler.compiled == 0
    assert distrust_reason() == ""


@pytest.mark.parametrize("mask", [0, 0o777])
def test_folders_and_files_are_the_users_alone_whatever_the_umask(isa: Isa, folder: Path, mask: int) -> None:
    """Parent directories that had to be created are checked, too."""
    before = os.umask(mask)
    try:
        result(Compiler(isa), Stores(7))
    finally:
        os.umask(before)

    modes = [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (folder.parent, folder, *folder.iterdir())]
    assert modes == [0] * (3 if mask == 0 else len(modes))


def test_a_file_under_the_name_of_another_is_not_run(isa: Isa, folder: Path) -> None:
    """Both files are valid."""
    result(Compiler(isa), Stores(1))
    (one,) = folder.iterdir()
    result(Compiler(isa), Stores(2))
    (two,) = set(folder.iterdir()) - {one}
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)

    compiler = Compiler(isa)

    assert (result(compiler, Stores(1)), result(compiler, Stores(2))) == (1, 2)
    assert compiler.compiled == 2


def test_a_file_cut_short_anywhere_is_not_run(isa: Isa, folder: Path) -> None:
    """The cut may lie in the header or in the code."""
    result(Compiler(isa), Stores(5))
    (file,) = folder.iterdir()
    whole = file.read_bytes()

    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        assert load_cached(file.name) is None, length


def test_a_file_of_the_format_before_is_not_read(isa: Isa, folder: Path) -> None:
    """The previous format did not contain the name."""
    result(Compiler(isa), Stores(5))
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(store.MAGIC, b"yolodsc2"))

    assert load_cached(file.name) is None


def test_a_pipe_in_place_of_a_file_does_not_hold_the_process(isa: Isa, folder: Path) -> None:
    """Nobody writes to the pipe."""
    result(Compiler(isa), Stores(5))
    (file,) = folder.iterdir()
    file.unlink()
    os.mkfifo(file)

    assert result(Compiler(isa), Stores(5)) == 5
    assert file.is_file()


@as_root
def test_a_folder_that_is_swapped_while_it_is_used_is_not_read(planted: Path, base: Path) -> None:
    """The directory that was opened and checked is read, even if its path leads elsewhere by then."""
    name, content = planted.name, load_cached(planted.name)
    with trust.private_folder(planted.parent) as opened:
        planted.parent.rename(base / "mine")
        planted.parent.mkdir()
        (planted.parent / name).write_bytes(b"planted")

        assert trust.read_private(opened, name).endswith(content or b"?")


def test_a_loop_of_links_costs_time_only(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in place of a directory costs time only, too."""
    (base / "loop").symlink_to("loop")
    (base / "file").write_text("")

    for path in ("loop", "loop/kernels", "file", "file/kernels"):
        monkeypatch.setenv("YOLODSC_CACHE", str(base / path))
        store_cached("name", b"content")
        assert load_cached("name") is None
        assert distrust_reason()


def test_a_relative_cache_home_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The XDG specification ignores relative paths, since the working directory may be anybody's."""
    monkeypatch.delenv("YOLODSC_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")

    assert cache_directory() == tmp_path / ".cache/yolodsc/kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_directory() == tmp_path / "x/yolodsc/kernels"


def test_a_relative_cache_folder_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user has set it and should know."""
    monkeypatch.setenv("YOLODSC_CACHE", "kernels")

    with pytest.raises(OptionError, match=r"^YOLODSC_CACHE=kernels: expected an absolute path$"):
        cache_directory()
    assert cli.run(["info"]) == 2
    assert capsys.readouterr().err == "yolodsc: YOLODSC_CACHE=kernels: expected an absolute path\n"


@pytest.mark.slow
def test_info_and_warmup_say_that_nothing_is_kept_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each prints the reason once."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    stem = ROOT / "tests/golden/micro/yolo-v4"

    statuses = [cli.run(["info"]), cli.run(["warmup", "--cfg", f"{stem}.cfg", "--weights", f"{stem}.weights", "--threads", "1"])]

    out = capsys.readouterr().out
    assert statuses == [0, 0]
    assert out.count(f"not used: {folder} can be written to by other users") == 1
    assert out.count(f"not kept: {folder} can be written to by other users") == 1
    assert list(folder.iterdir()) == []


AS_ANOTHER = """
import os, sys
from tests.engine.test_objects import Stores, result
from yolodsc.jit import distrust_reason
from yolodsc.engine.selection import select_backend
from yolodsc.jit.compiler import Compiler
from yolodsc.jit.machine import llvm
chosen = select_backend(None).isa
llvm()
uid = int(sys.argv[1])
if uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
exec(sys.argv[2])
for number in (7, 8):
    compiler = Compiler(chosen)
    print(result(compiler, Stores(number)), compiler.compiled, distrust_reason())
"""


def as_another(uid: int, before: str = "", **environment: str) -> list[str]:
    """Print results, kernels compiled, and why nothing is cached, in a process of another user; libraries are loaded as root."""
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(uid), before],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@as_root
def test_another_user_does_not_run_what_lies_in_a_folder_of_ours(planted: Path) -> None:
    """Everybody may write to the directory; the file is ours."""
    for path in (planted.parents[1], planted.parent, planted):
        path.chmod(0o777)

    lines = as_another(NOBODY)

    assert [line.split()[:2] for line in lines] == [["7", "1"], ["8", "1"]]
    assert "can be written to by other users" in lines[0]


@as_root
def test_a_read_only_cache_of_the_users_own_is_read(isa: Isa, folder: Path) -> None:
    """Missing kernels are compiled in memory."""
    result(Compiler(isa), Stores(7))
    for path in (folder.parent, folder, *folder.iterdir()):
        owned_by_another(path)
    folder.chmod(0o500)

    lines = as_another(NOBODY)

    assert lines == ["7 0 cannot be written to", "8 1 cannot be written to"]
    assert len(list(folder.iterdir())) == 1


@as_root
def test_a_folder_that_may_not_be_searched_costs_time_only(folder: Path) -> None:
    """A parent directory denies access."""
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)

    assert [line.split()[:2] for line in as_another(NOBODY)] == [["7", "1"], ["8", "1"]]


@as_root
def test_an_account_without_home_or_entry_keeps_nothing() -> None:
    """A message says what would help."""
    lines = as_another(54321, "os.environ.pop('HOME', None)", YOLODSC_CACHE="", XDG_CACHE_HOME="")

    assert lines[0] == "7 1 there is no home directory; YOLODSC_CACHE may name a folder"


@pytest.mark.usefixtures("isa")
def test_a_full_disk_costs_time_only(folder: Path) -> None:
    """Files are limited to 20 bytes; no partial file remains."""
    lines = as_another(0, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))")

    assert [line.split()[:2] for line in lines] == [["7", "1"], ["8", "1"]]
    assert list(folder.iterdir()) == [] or all(load_cached(file.name) for file in folder.iterdir())
    assert not list(folder.glob(".*"))
