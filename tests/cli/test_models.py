"""Networks as the commands take them: names, directories, pairs and archives."""

import shutil
from pathlib import Path

import pytest

from tests.cli.support import NETWORK, STEM
from yolodsc import cli


@pytest.fixture
def models(here: Path) -> Path:
    """A directory with a pair, a pair, and an archive of it."""
    (here / "net").mkdir()
    for ending in ("cfg", "weights"):
        shutil.copy(f"{STEM}.{ending}", here / "net")
    assert cli.run(["convert", "net", "net.npz"]) == 0
    return here


FORMS = ["net", "net/yolo-v4.cfg", "net/yolo-v4.weights", "net.npz"]


@pytest.mark.parametrize("form", FORMS)
def test_detect_takes_every_form(form: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the boxes of the pair."""
    cli.run(["detect", "a.png", *NETWORK, "--thresh", ".05", "--csv", "-"])
    expected = capsys.readouterr().out

    assert cli.run(["detect", "a.png", "--model", form, "--thresh", ".05", "--csv", "-"]) == 0

    assert capsys.readouterr().out == expected


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_other_commands_take_every_form(form: str, models: Path) -> None:
    """Summary, bench, separate and convert."""
    assert cli.run(["summary", "--model", form]) == 0
    assert cli.run(["bench", "--model", form, "--seconds", "0", "--peers", ""]) == 0
    assert cli.run(["convert", form, "copy.safetensors"]) == 0


def test_convert_takes_shipped_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what it wrote; a name that is nearly right is not read."""
    assert cli.run(["convert", "dsc-fastest-voc", "n.cfg"]) == 0
    assert capsys.readouterr().err == "yolodsc: wrote n.cfg and n.weights\n"
    assert cli.run(["convert", "dsc-fastest-vok", "m.cfg"]) == 2
    assert "did you mean dsc-fastest-voc?" in capsys.readouterr().err


@pytest.mark.slow
def test_finetune_takes_a_word_or_a_pair(models: Path) -> None:
    """For student and teacher; ``--scratch`` needs no weights."""
    settings = ["--images", ".", "--batch", "1", "--epochs", "1", "--quiet"]

    assert cli.run(["finetune", "--student", "net", "--teacher", *NETWORK[1::2], *settings, "--out", "o1"]) == 0
    assert cli.run(["finetune", "--student", "net.npz", "--teacher", "net/yolo-v4.cfg", *settings, "--out", "o2"]) == 0
    (models / "net/yolo-v4.weights").unlink()
    assert cli.run(["finetune", "--student", "net/yolo-v4.cfg", "--scratch", "--teacher", "net.npz", *settings, "--out", "o3"]) == 0


@pytest.mark.parametrize("option", ["--student", "--teacher"])
def test_finetune_names_the_network_at_fault(option: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the option that names it."""
    words = {"--student": NETWORK[1::2], "--teacher": NETWORK[1::2], option: ["dsc-nano-vok"]}
    command = ["finetune", *(word for name, values in words.items() for word in (name, *values)), "--images", ".", "--out", "o"]

    assert cli.run(command) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"yolodsc: {option} dsc-nano-vok: ")
    assert "did you mean dsc-nano-voc?" in said
