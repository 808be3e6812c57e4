"""Files and folders of other users, and caches that cannot be written or trusted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import ROOT, assert_one_line, command, ended, environment, started, temporary
from tests.faults.conftest import Material

OTHER = 65534
"""A user who owns nothing here."""


@pytest.fixture(scope="module")
def other() -> dict[str, Any]:
    """Options of a process that runs as that user."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs root, to run commands as another user")
    options: dict[str, Any] = {"user": OTHER, "group": OTHER, "extra_groups": [], "cwd": "/"}
    probe = [sys.executable, "-c", "import numba, yolodsc"]
    if subprocess.run(probe, env=environment(), capture_output=True, check=False, **options).returncode:
        pytest.skip(f"another user can read neither {sys.prefix} nor {ROOT}")
    return options


@pytest.fixture
def open_material(material: Material) -> Material:
    """The same files, in folders that everybody may enter."""
    for folder in (material.folder, *material.folder.parents):
        if folder == Path(folder.anchor) or folder.stat().st_mode & 0o055 == 0o055:
            break
        folder.chmod(0o755)
    return material


def theirs(path: Path) -> Path:
    """A folder that the other user owns, and may reach."""
    path.mkdir()
    os.chown(path, OTHER, OTHER)
    for folder in path.parents:
        if folder.stat().st_mode & 0o055 == 0o055:
            break
        folder.chmod(0o755)
    return path


def found(material: Material, out: Path, *more: object, env: dict[str, str] | None = None, **options: Any) -> list[Any]:
    """The frames that detect finds."""
    images = [material.tree / f"JPEGImages/0000{number}.png" for number in range(3)]
    arguments = ("detect", *material.network, *images, "--thresh", ".3", "--json", out, "--quiet", *more)
    status, error = command(*arguments, env=env, **options)
    assert (status, error) == (0, "")
    frames: list[Any] = json.loads(out.read_text())
    assert sum(len(frame["objects"]) for frame in frames) > 3
    return frames


def test_a_folder_that_may_not_be_written_is_told_in_one_line(open_material: Material, tmp_path: Path, other: dict[str, Any]) -> None:
    """As another user, into a folder of this one."""
    image = open_material.tree / "JPEGImages/00000.png"
    env = environment(YOLODSC_CACHE=str(theirs(tmp_path / "cache")))
    (tmp_path / "closed").mkdir(mode=0o755)

    status, error = command("detect", *open_material.network, image, "--json", tmp_path / "closed/all.json", "--quiet", env=env, **other)

    assert status == 2
    assert_one_line(error, "closed/all.json", "Permission denied")
    assert list((tmp_path / "closed").iterdir()) == []


@pytest.mark.parametrize("what", ["weights", "image"])
def test_a_file_that_may_not_be_read_is_told_in_one_line(
    open_material: Material, tmp_path: Path, other: dict[str, Any], what: str
) -> None:
    """Weights stop the run; an image that cannot be read is one of many."""
    closed = tmp_path / f"closed.{what}"
    source = open_material.folder / "net/student.weights" if what == "weights" else open_material.tree / "JPEGImages/00000.png"
    closed.write_bytes(source.read_bytes())
    closed.chmod(0o600)
    env = environment(YOLODSC_CACHE=str(theirs(tmp_path / "cache")))
    image = open_material.tree / "JPEGImages/00001.png"
    network = [*open_material.network[:3], str(closed)] if what == "weights" else open_material.network

    status, error = command("detect", *network, image, closed if what == "image" else image, "--quiet", env=env, **other)

    assert status == (2 if what == "weights" else 1)
    assert_one_line(error, f"closed.{what}", "Permission denied")


def test_a_cache_that_may_not_be_written_costs_time_only(open_material: Material, tmp_path: Path, other: dict[str, Any]) -> None:
    """The same detections, without a word and without a file."""
    expected = found(open_material, tmp_path / "expected.json")
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)
    out = theirs(tmp_path / "out") / "all.json"

    frames = found(open_material, out, env=environment(YOLODSC_CACHE=str(cache)), **other)

    assert frames == expected
    assert list(cache.iterdir()) == []


def test_a_cache_of_another_user_changes_no_result(open_material: Material, tmp_path: Path, other: dict[str, Any]) -> None:
    """Whatever its files hold: here what the other user has put in the place of kernels."""
    expected = found(open_material, tmp_path / "expected.json")
    cache, out = theirs(tmp_path / "cache"), theirs(tmp_path / "out")
    found(open_material, out / "all.json", env=environment(YOLODSC_CACHE=str(cache)), **other)
    kept = [path for path in cache.rglob("*") if path.is_file()]
    for path in kept:
        path.write_bytes(path.read_bytes()[::-1])

    frames = found(open_material, tmp_path / "all.json", env=environment(YOLODSC_CACHE=str(cache)))

    assert kept
    assert frames == expected


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_damaged_cache_changes_no_result(material: Material, tmp_path: Path, damage: str) -> None:
    """Kernels that are not what was kept are made anew."""
    env = environment(YOLODSC_CACHE=str(tmp_path / "cache"))
    expected = found(material, tmp_path / "expected.json", env=env)
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            half = len(data) // 2
            path.write_bytes(data[:half] if damage == "cut off" else data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :])

    assert found(material, tmp_path / "all.json", env=env) == expected


def test_two_processes_fill_one_cache_at_the_same_time(material: Material, tmp_path: Path) -> None:
    """Both find what a third one finds with the kernels that they have kept; nothing temporary is left."""
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
