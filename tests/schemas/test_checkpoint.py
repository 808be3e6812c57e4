"""``finetune --resume`` with damaged, foreign or forged checkpoints."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.schemas.complaints import complaint
from tests.training.scenes import student, write_images
from yolodsc.cli import run
from yolodsc.errors import OptionError
from yolodsc.training.data.augment import Augmentation
from yolodsc.training.finetune.settings import FinetuneSettings


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """Return a command that has trained for two epochs, and its checkpoint."""
    folder = tmp_path_factory.mktemp("training")
    write_images(folder, 4)
    student().save(folder / "s.cfg", folder / "s.weights")
    pair = [str(folder / "s.cfg"), str(folder / "s.weights")]
    settings = ["--epochs", "2", "--batch", "2", "--labels", "--quiet"]
    command = ["finetune", "--student", *pair, "--images", str(folder / "images"), *settings]
    assert run([*command, "--out", str(folder / "whole")]) == 0
    return command, folder / "whole/checkpoint.npz"


def resumed(training: tuple[list[str], Path], out: Path) -> tuple[list[str], Path]:
    """Return the command that resumes in a directory with a copy of the checkpoint."""
    out.mkdir()
    shutil.copy(training[1], out)
    return [*training[0], "--out", str(out), "--resume"], out / "checkpoint.npz"


def repacked(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Return the archive with its arrays changed."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def about(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """Return a change of the description in the checkpoint."""

    def apply(arrays: dict[str, Any]) -> None:
        content = json.loads(str(arrays["about"]))
        change(content)
        arrays["about"] = np.array(json.dumps(content))

    return apply


FIRST = "weights/0/weights"
CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda a: a.pop("about"), "is no checkpoint of a training (no about)"),
    (lambda a: a.update(about=np.zeros(3)), "is no checkpoint of a training (no about)"),
    (lambda a: a.update(about=np.array("{")), "about:1: not JSON"),
    (lambda a: a.update(about=np.array("[" * 100_000)), "about: not readable: nested too deeply"),
    (lambda a: a.update(about=np.array("1" * 6000)), "about: got an integer of thousands of digits"),
    (lambda a: a.update(extra=np.zeros(3)), "is no checkpoint of a training (extra)"),
    (lambda a: a.update({"weights/x/y": np.zeros(3)}), "weights/x/y belongs to nothing of this training"),
    (lambda a: a.update({"weights/99/weights": np.zeros(3)}), "weights/99/weights belongs to nothing of this training"),
    (lambda a: a.pop(FIRST), "weights/0/weights is missing"),
    (lambda a: a.update({FIRST: a[FIRST][:1]}), "weights/0/weights is float32 (1, 3, 3, 3); expected float32 (6, 3, 3, 3)"),
    (lambda a: a.update({FIRST: a[FIRST].astype(int)}), "weights/0/weights is int64 (6, 3, 3, 3); expected float32"),
    (lambda a: a[FIRST].__setitem__(0, np.nan), "weights/0/weights has numbers that are not finite"),
    (lambda a: a.pop("optimizer/mean/0"), "optimizer/mean/0 is missing"),
    (lambda a: a.update({"optimizer/mean/0": np.zeros((), np.float32)}), "optimizer/mean/0 is float32 (); expected float32 (6"),
    (lambda a: a.update({"optimizer/steps": np.array(-1.0)}), "optimizer/steps is -1; expected 0 to"),
    (lambda a: a.update({"optimizer/steps": np.array(np.inf)}), "optimizer/steps has numbers that are not finite"),
    (lambda a: a.update({"average/0": np.zeros(7, np.float32)}), "average/0 is float32 (7,); expected float32 (6"),
    (about(lambda d: d.update(digest="x")), "of a training with other options"),
    (about(lambda d: d.update(digest=None)), "about: at $.digest: got null, expected string"),
    (about(lambda d: d.update(layers=-1)), "about: at $.layers: got -1, expected integer >= 0"),
    (about(lambda d: d.update(layers=10**9)), "about: at $.layers: got 1000000000"),
    (about(lambda d: d.update(step="2")), 'about: at $.step: got "2", expected integer'),
    (about(lambda d: d.update(step=10**9)), "about: at $.step: got 1000000000, expected 0 to 4"),
    (about(lambda d: d.update(step=1)), "about: at $.history.epochs: got 2, expected 0 entries"),
    (about(lambda d: d["history"].update(epochs=[])), "about: at $.history.epochs: got 0, expected 2 entries"),
    (about(lambda d: d["history"]["epochs"][1].pop("total")), "about: at $.history.epochs[1]: field total is missing"),
    (about(lambda d: d["history"]["epochs"][1].update(rate=float("nan"))), "about: got NaN, expected a finite number"),
    (about(lambda d: d["history"].update(open={"total": None})), "about: at $.history.open.total: got null, expected number"),
    (about(lambda d: d.pop("history")), "about: at $: field history is missing"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[said for _, said in CHANGES])
def test_a_forged_checkpoint_is_one_line(
    change: Callable[[dict[str, Any]], Any],
    said: str,
    training: tuple[list[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names, dtypes, shapes and texts must be those that the student expects; the file is not changed."""
    command, path = resumed(training, tmp_path / "out")
    repacked(path, change)
    before = path.read_bytes()

    line = complaint(command, capsys)

    assert f"{path}: " in line
    assert said in line
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_checkpoint_that_is_cut_off_is_one_line(
    share: float, training: tuple[list[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty file is tested, too."""
    command, path = resumed(training, tmp_path / "out")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    assert f"{path}: cannot be read: not an .npz file" in complaint(command, capsys)


def test_a_checkpoint_that_unpacks_to_gigabytes_is_refused_at_once(
    training: tuple[list[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The header of the array gives its shape; no data are read."""
    command, path = resumed(training, tmp_path / "out")
    with np.load(path) as file:
        arrays = dict(file)
    del arrays[FIRST]
    np.savez(path, **arrays)
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (2**26,)})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{FIRST}.npy", stream.getvalue() + bytes(2**28))

    line = complaint(command, capsys)

    assert path.stat().st_size < 2**22
    assert f"{FIRST} is float32 ({2**26},); expected float32 (6, 3, 3, 3)" in line


def test_an_untouched_checkpoint_is_gone_on_with(training: tuple[list[str], Path], tmp_path: Path) -> None:
    """Otherwise the tests of faults would prove nothing."""
    command, _ = resumed(training, tmp_path / "out")

    assert run(command) == 0


def test_a_file_that_ends_too_early_is_no_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The option parser takes `EOFError` for Ctrl-D; the exit status must be 2, with one line."""

    def ends(**options: object) -> int:
        raise EOFError("No data left in file")

    monkeypatch.setattr("yolodsc.cli.finetune.training_images", lambda source: ends())
    cfg = ["--student", "x.cfg", "x.weights"]
    monkeypatch.setattr("yolodsc.cli.finetune._learner", lambda *files, **options: student())

    assert run(["finetune", *cfg, "--labels", "--images", "x", "--out", "nowhere"]) == 2
    assert "a file ended too early: No data left in file" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["jitter", "hue", "saturation", "exposure", "sharpen"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0])
def test_augmentation_is_made_of_finite_numbers(field: str, value: float) -> None:
    """Otherwise the history could not be written at the end of an epoch."""
    with pytest.raises(OptionError, match=f"{field}=.*: expected a number, 0 or more"):
        FinetuneSettings(augmentation=Augmentation(**{field: value}))
