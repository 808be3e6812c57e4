"""Wrong options and inputs: one line, exit status 2, and no input is touched."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.support import NETWORK, STEM
from tests.conftest import GOLDEN
from yolodsc import cli


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["detect", "nothing.jpg", *NETWORK], "nothing.jpg: no such file or directory"),
        (["detect", "nothing*.jpg", *NETWORK], "no file matches"),
        (["detect", "{a}", "--cfg", "{a}"], "--weights is missing; expected --weights F, or"),
        (["detect", "{a}", "--weights", "{a}"], "--cfg is missing; expected --cfg F, or"),
        (["detect", "{a}", "--cfg", "none.cfg"], "none.cfg: cannot be read: No such file"),
        (["detect", "{a}", "--cfg", "/"], "--cfg /: is a directory; expected a file, or --model /"),
        (["detect", "{a}", *NETWORK, "--model", "x"], "two networks"),
        (["detect", "{a}", "--model", "nosuch"], "neither a directory nor a shipped network"),
        (["detect", "{a}", "--cfg", "none.cfg", "--weights", "none.weights"], "none.cfg: cannot be read: No such file"),
        (["detect", "{a}", "--cfg", f"{STEM}.cfg", "--weights", f"{GOLDEN}/micro/spp.weights"], "numbers are"),
        (["detect", "{a}", "--cfg", f"{GOLDEN}/micro/spp.cfg", "--weights", f"{GOLDEN}/micro/spp.weights"], "no detection head"),
        (["detect", "{a}", *NETWORK, "--profile", "yolov9"], "--profile yolov9: expected one of alexeyab, pjreddie, opencv"),
        (["detect", "{a}", *NETWORK, "--classes", "zebra"], "--classes zebra: unknown class"),
        (["detect", "{a}", *NETWORK, "--thresh", "2"], "--thresh 2: expected a number from 0 to 1"),
        (["detect", "{a}", *NETWORK, "--conf", "high"], "--thresh high: expected a number from 0 to 1"),
        (["detect", "{a}", *NETWORK, "--thresh", "nan"], "--thresh nan: expected a number from 0 to 1"),
        (["detect", "{a}", *NETWORK, "--threads", "0"], "--threads 0: expected a whole number from 1 to 1024"),
        (["separate", *NETWORK, "--images", "{a}", "--layer", "two"], "--layer two: expected a whole number"),
        (["completion", "csh"], "SHELL csh: expected one of bash, zsh, fish, powershell"),
        (["convert", "dsc-nano-voc", "x.onnx", "--heads", "both"], "--heads both: expected one of activated, raw"),
        (["separate", *NETWORK, "--images", "{a}", "--layer", "99"], "layer 99: the network has "),
        (["evaluate", "--at", "-0.1"], "--at -0.1: expected a number from 0 to 1"),
        (["audit", "--top", "-1"], "--top -1: expected a whole number of at least 0"),
        (["detect", "{a}", *NETWORK, "--names", "none.names"], "none.names: cannot be read"),
        (["detect", "{a}", *NETWORK, "--names", f"{STEM}.cfg"], "the network has 5 classes"),
        (["detect", "{a}", *NETWORK, "--json", "{a}"], "is read in this run"),
        (["detect", "{a}", *NETWORK, "--csv", f"{STEM}.cfg"], "is read in this run"),
        (["detect", "{a}", *NETWORK, "--json", "x.out", "--csv", "x.out"], "is written by another option"),
        (["detect", "{a}", *NETWORK, "--classes", ","], "--classes: empty list; expected at least one class"),
        (["detect", "{a}", *NETWORK, "--data", "none.data"], "none.data: cannot be read"),
        (["detect", "{a}", *NETWORK, "--threads", "100000"], "--threads"),
        (["summary", "--cfg", f"{STEM}.cfg", "--json", f"{STEM}.cfg"], "is read in this run"),
        (["summary", "--cfg", f"{STEM}.cfg", "--isa", "sse"], "--isa goes with --plan"),
        (["separate", *NETWORK, "--images", "{a}", "--layer", "0", "--ranks", "nan"], "--ranks nan: expected numbers above 0"),
        (["decompose", *NETWORK, "--images", "{a}", "--out", "{a}"], "is a file; expected a directory"),
        (["decompose", *NETWORK, "--images", "{a}", "--out", "x", "--rank", "nan"], "rank"),
        (["decompose", *NETWORK, "--images", "{a}", "--out", "x", "--budget-ms", "0"], "budget"),
        (["decompose", *NETWORK, "--images", "{a}", "--out", "x", "--names", "none.names"], "none.names: cannot be read"),
        (["detect", "{a}", *NETWORK, "--save", "/proc/no/such"], "cannot be a directory"),
        (["detect", "{a}", *NETWORK, "--crops", "{a}"], "cannot be a directory"),
        (["detect", "{a}", *NETWORK, "--json", "/"], "/: cannot be written: is a directory"),
        (["detect", "", *NETWORK], "no such file"),
        (["detect", "--bogus"], "--bogus: no such option of yolodsc detect"),
        (["bogus"], "bogus: no such command"),
        (["summary", "--cfg", "none.cfg"], "none.cfg: cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], found: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with exit status 2, and no input is touched."""
    image = images / "a.png"
    before = image.read_bytes()

    status = cli.run([argument.replace("{a}", str(image)) for argument in arguments])

    captured = capsys.readouterr()
    assert status == 2
    assert found in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("yolodsc: ")
    assert image.read_bytes() == before


def test_a_list_of_paths_is_never_overwritten(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by a label file of its name."""
    monkeypatch.chdir(images)
    (images / "a.txt").write_text("a.png\n")

    assert cli.run(["detect", "a.txt", *NETWORK, "--json", "a.txt"]) == 2
    assert cli.run(["detect", "a.txt", *NETWORK, "--txt", "."]) == 0

    assert (images / "a.txt").read_text() == "a.png\n"
    assert (images / "a_2.txt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["detect", "summary", "warmup", "convert", "bench"])
def test_weights_that_are_not_finite_are_accepted_only_on_request(
    command: str, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command refuses them in one line that names the layer."""
    broken = tmp_path / "broken.weights"
    broken.write_bytes(Path(f"{STEM}.weights").read_bytes()[:-4] + np.float32(np.nan).tobytes())
    files = ["--cfg", f"{STEM}.cfg", "--weights", str(broken)]
    arguments = {
        "detect": ["detect", str(images / "a.png"), *files],
        "summary": ["summary", *files],
        "warmup": ["warmup", *files, "--threads", "1"],
        "convert": ["convert", f"{STEM}.cfg", str(tmp_path / "out.npz"), "--weights", str(broken)],
        "bench": ["bench", *files, "--seconds", "0", "--peers", ""],
    }[command]

    assert cli.run(arguments) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "[convolutional], in weights: 1 of" in line
    assert "--allow-nonfinite" in line
    assert cli.run([*arguments, "--allow-nonfinite"]) == 0


@pytest.mark.parametrize("command", ["decompose", "separate", "finetune"])
def test_long_jobs_read_weights_that_are_not_finite_on_request(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They then go on to the images, which do not exist here."""
    broken = tmp_path / "broken.weights"
    broken.write_bytes(Path(f"{STEM}.weights").read_bytes()[:-4] + np.float32(np.nan).tobytes())
    files, rest = ["--cfg", f"{STEM}.cfg", "--weights", str(broken)], ["--images", "nothing"]
    arguments = {
        "decompose": ["decompose", *files, *rest, "--out", str(tmp_path / "small")],
        "separate": ["separate", *files, *rest, "--layer", "0"],
        "finetune": ["finetune", "--student", *files[1::2], "--teacher", *NETWORK[1::2], *rest, "--out", str(tmp_path / "new")],
    }[command]

    assert cli.run(arguments) == 2
    assert "--allow-nonfinite" in capsys.readouterr().err
    assert cli.run([*arguments, "--allow-nonfinite"]) == 2
    assert "nothing: " in capsys.readouterr().err
