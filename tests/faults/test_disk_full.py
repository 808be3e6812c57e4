"""A full disk: one line, exit status 2, no partial files."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.commands import assert_one_line, command, environment, temporary
from tests.faults.conftest import Material

pytestmark = pytest.mark.slow

SMALL = 2048
"""Size limit of files in bytes: less than any output has."""


def limited() -> None:
    """Limit files to `SMALL` bytes: writing fails as on a full disk, at the same byte every time."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))


def lines_of(material: Material, out: Path) -> dict[str, tuple[object, ...]]:
    """Return a command line for each kind of output."""
    net, images = material.folder / "net", material.tree / "JPEGImages"
    student = (net / "student.cfg", net / "student.weights")
    pair = ("--cfg", net / "teacher.cfg", "--weights", net / "teacher.weights")
    some = [images / f"{number:05d}.png" for number in range(8)]
    scored = ("evaluate", *material.network, "--names", net / "student.names", "--voc", material.tree, "--thresh", ".3", "--quiet")
    detected = ("detect", *material.network, *some, "--quiet")
    trained = ("finetune", "--student", *student, "--teacher", *pair[1::2], "--images", material.scenes, "--quiet")
    return {
        "detect --json": (*detected, "--thresh", ".1", "--json", out / "all.json"),
        "detect --csv": (*detected, "--thresh", ".1", "--csv", out / "all.csv"),
        "detect --save": (*detected, "--thresh", ".6", "--save", out / "saved"),
        "evaluate --json": (*scored, "--json", out / "all.json"),
        "evaluate --save-detections": (*scored, "--save-detections", out / "kept"),
        "convert": ("convert", student[0], out / "student.npz"),
        "decompose": ("decompose", *pair, "--images", images, "--count", 4, "--out", out, "--method", "bs", "--quiet"),
        "finetune": (*trained, "--epochs", 1, "--batch", 5, "--out", out),
    }


NAMES = (
    *(f"detect --{what}" for what in ("json", "csv", "save")),
    "evaluate --json",
    "evaluate --save-detections",
    "convert",
    "decompose",
    "finetune",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_reported_in_one_line_and_leaves_nothing_half_written(material: Material, tmp_path: Path, name: str) -> None:
    """No partial file remains under the final name, and no temporary file; a journal remains and can be resumed."""
    arguments = lines_of(material, tmp_path)[name]

    status, error = command(*arguments, preexec_fn=limited, env=environment(PYTHONPATH=material.without_curves))

    assert status == 2, error
    assert_one_line(error, "cannot be written")
    assert temporary(tmp_path) == []
    whole = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert whole <= {"detections.jsonl", "history.json", "teacher-separable.cfg"} | {
        f"comp4_det_test_{c}.txt" for c in ("red", "blue")
    }


def test_results_stay_as_they_were_if_the_disk_is_full(material: Material, tmp_path: Path) -> None:
    """An existing file is not lost."""
    (tmp_path / "all.json").write_text("earlier results")

    status, error = command(*lines_of(material, tmp_path)["detect --json"], preexec_fn=limited)

    assert status == 2, error
    assert (tmp_path / "all.json").read_text() == "earlier results"


@pytest.mark.parametrize("where", ["--json", "standard output"])
def test_a_full_device_is_reported_in_one_line(material: Material, where: str) -> None:
    """``/dev/full`` refuses every byte."""
    images = [material.tree / f"JPEGImages/0000{number}.png" for number in range(3)]
    arguments = ("detect", *material.network, *images, "--thresh", ".5")

    if where == "--json":
        status, error = command(*arguments, "--json", "/dev/full", "--quiet")
    else:
        with Path("/dev/full").open("w") as full:
            status, error = command(*arguments, stdout=full)

    assert status == 2
    assert_one_line(error, "No space left on device")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        sys.platform != "linux"
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_kernel_cache_on_a_full_disk_costs_time_only(material: Material, small_disk: Path, tmp_path: Path) -> None:
    """Kernels that cannot be cached are used, and no temporary file remains."""
    (small_disk / "ballast").write_bytes(bytes(60 << 10))
    results = tmp_path / "all.json"
    image = material.tree / "JPEGImages/00000.png"

    status, error = command(
        "detect", *material.network, image, "--thresh", ".3", "--json", results, "--quiet",
        env=environment(YOLODSC_CACHE=str(small_disk / "kernels")),
    )  # fmt: skip

    assert (status, error) == (0, "")
    assert results.stat().st_size > 100
    assert temporary(small_disk) == []
