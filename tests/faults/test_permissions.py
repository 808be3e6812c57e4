"""Files and folders of other users, and caches that cannot be written or trusted."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import assert_one_line, command, ended, environment, started, temporary
from tests.faults.conftest import Material

pytestmark = pytest.mark.slow

OTHER = 65534
"""A user who owns no file here."""


@pytest.fixture(scope="module")
def plain() -> list[str]:
    """Return the words before a command line that make permissions apply, which root bypasses."""
    if os.name != "posix":
        pytest.skip("needs POSIX permissions")
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    probe = [*words, sys.executable, "-c", "import os; raise SystemExit(os.access('/proc/self/mem', os.X_OK))"]
    if shutil.which("setpriv") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("needs setpriv and the right to drop capabilities, where root runs the tests")
    return words


@pytest.fixture(scope="module")
def expected(material: Material, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Return the frames that detect writes with an intact cache."""
    return found(material, tmp_path_factory.mktemp("expected") / "all.json")


def found(material: Material, out: Path, *more: object, env: dict[str, str] | None = None, **options: Any) -> list[Any]:
    """Return the frames that detect writes."""
    images = [material.tree / f"JPEGImages/0000{number}.png" for number in range(3)]
    arguments = ("detect", *material.network, *images, "--thresh", ".3", "--json", out, "--quiet", *more)
    status, error = command(*arguments, env=env, **options)
    assert (status, error) == (0, "")
    frames: list[Any] = json.loads(out.read_text())
    assert sum(len(frame["objects"]) for frame in frames) > 3
    return frames


def test_a_folder_that_may_not_be_written_is_reported_in_one_line(material: Material, tmp_path: Path, plain: list[str]) -> None:
    """The directory stays empty."""
    image, closed = material.tree / "JPEGImages/00000.png", tmp_path / "closed"
    closed.mkdir(mode=0o555)

    status, error = command("detect", *material.network, image, "--json", closed / "all.json", "--quiet", before=plain)

    assert status == 2
    assert_one_line(error, "closed/all.json", "Permission denied")
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("what", ["cfg", "weights", "names", "image", "list"])
def test_a_file_that_may_not_be_read_is_reported_in_one_line(
    material: Material, tmp_path: Path, plain: list[str], what: str
) -> None:
    """Files of the network and lists end the run; an unreadable image is skipped."""
    image, net = material.tree / "JPEGImages/00000.png", material.folder / "net"
    closed = tmp_path / ("closed.txt" if what == "list" else f"closed.{what}")
    closed.write_text(f"{image}\n") if what == "list" else closed.write_bytes((net / "student.cfg").read_bytes())
    closed.chmod(0o000)
    files = {name: closed if name == what else net / f"student.{name}" for name in ("cfg", "weights", "names")}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    sources = [image, closed] if what in ("image", "list") else [image]

    status, error = command("detect", *options, *sources, "--quiet", before=plain)

    assert status == (1 if what == "image" else 2)
    assert_one_line(error, closed.name)
    assert "Permission denied" in error or "not readable" in error


def test_a_cache_that_may_not_be_written_costs_time_only(
    material: Material, expected: list[Any], tmp_path: Path, plain: list[str]
) -> None:
    """The detections are the same, nothing is printed and no file is written."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o555)

    frames = found(material, tmp_path / "all.json", env=environment(YOLODSC_CACHE=str(cache)), before=plain)

    assert frames == expected
    assert list(cache.iterdir()) == []


def test_a_cache_of_another_user_changes_no_result(material: Material, expected: list[Any], tmp_path: Path) -> None:
    """Neither the content of its files nor write access for everybody has an effect."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs root, to give files to another user")
    cache = tmp_path / "cache"
    env = environment(YOLODSC_CACHE=str(cache))
    found(material, tmp_path / "filled.json", env=env)
    for path in (cache, *cache.rglob("*")):
        if path.is_file():
            path.write_bytes(path.read_bytes()[::-1])
        os.chown(path, OTHER, OTHER)
        path.chmod(0o777)

    assert found(material, tmp_path / "all.json", env=env) == expected


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_damaged_cache_changes_no_result(material: Material, expected: list[Any], tmp_path: Path, damage: str) -> None:
    """Damaged kernels are compiled again."""
    env = environment(YOLODSC_CACHE=str(tmp_path / "cache"))
    assert found(material, tmp_path / "first.json", env=env) == expected
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            half = len(data) // 2
            path.write_bytes(data[:half] if damage == "cut off" else data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :])

    assert found(material, tmp_path / "all.json", env=env) == expected


def test_two_processes_fill_one_cache_at_the_same_time(material: Material, tmp_path: Path) -> None:
    """Both processes and a third one that uses their kernels find the same; no temporary file remains."""
    env = environment(YOLODSC_CACHE=str(tmp_path / "cache"))
    image = material.tree / "JPEGImages/00000.png"
    arguments = ("detect", *material.network, image, "--thresh", ".3", "--quiet", "--json")

    both = [started(*arguments, tmp_path / f"{number}.json", env=env) for number in range(2)]

    assert [ended(process) for process in both] == [(0, ""), (0, "")]
    assert any(path.is_file() for path in (tmp_path / "cache").rglob("*"))
    assert temporary(tmp_path / "cache") == []
    assert command(*arguments, tmp_path / "third.json", env=env) == (0, "")
    results = {(tmp_path / f"{name}.json").read_text() for name in (0, 1, "third")}
    assert len(results) == 1
