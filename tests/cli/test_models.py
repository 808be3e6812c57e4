"""Networks as the commands take them: names, directories, pairs and archives."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import typer

import yolodsc
from tests.cli.support import NETWORK, STEM
from yolodsc import cli
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.network.network import Network


@pytest.fixture
def models(here: Path) -> Path:
    """A directory with a pair, a pair, and an archive of it."""
    (here / "net").mkdir()
    for ending in ("cfg", "weights"):
        shutil.copy(f"{STEM}.{ending}", here / "net")
    for archive in ("net.npz", "net.safetensors"):
        assert cli.run(["convert", "net", archive]) == 0
    return here


FORMS = ["net", "net/yolo-v4.cfg", "net/yolo-v4.weights", "net.npz", "net.safetensors"]

COMMANDS = {
    "summary": [],
    "warmup": ["--threads", "1"],
    "bench": ["--seconds", "0", "--peers", ""],
    "separate": ["--images", ".", "--layer", "0", "--ranks", "1"],
    "decompose": ["--images", ".", "--out", "small", "--method", "weights"],
    "quantize": ["--images", ".", "--out", "eight"],
    "evaluate": ["--data", "data", "--rules", "voc07"],
    "audit": ["--data", "data"],
    "anchors": ["--data", "data", "--count", "2"],
}
"""Subcommands with ``--model``, and the options that they need besides it."""


@pytest.mark.parametrize("form", FORMS)
def test_detect_takes_every_form(form: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the boxes of the pair."""
    cli.run(["detect", "a.png", *NETWORK, "--thresh", ".05", "--csv", "-"])
    expected = capsys.readouterr().out

    assert cli.run(["detect", "a.png", "--model", form, "--thresh", ".05", "--csv", "-"]) == 0

    assert capsys.readouterr().out == expected


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_other_commands_take_every_form(command: str, form: str, models: Path) -> None:
    """All that have ``--model``."""
    shutil.copy("a.png", "b.png")
    _yolo_tree(models / "data")

    assert cli.run([command, "--model", form, *COMMANDS[command]]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dsc-nano-voc", "dsc-fastest-voc"])
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ("decompose", "separate", "quantize")])
def test_other_commands_take_shipped_names(command: str, name: str, models: Path) -> None:
    """Without any path; the bundled networks are separable and quantized already."""
    _yolo_tree(models / "data")
    assert cli.run([command, "--model", name, *COMMANDS[command]]) == 0


def test_every_command_with_a_model_is_tried() -> None:
    """Those of the table, and detect; optimize, which resolves the network as decompose does, searches for minutes."""
    with_model = {name for name in cli.COMMANDS if "--model" in _options(name)}

    assert with_model == {*COMMANDS, "detect", "optimize"}


def _options(command: str) -> set[str]:
    found = typer.main.get_command(cli.app).get_command(None, command)  # type: ignore[attr-defined]
    return {option for parameter in found.params for option in parameter.opts}


def _yolo_tree(folder: Path) -> None:
    """One image with a label."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    shutil.copy("a.png", folder / "images")
    (folder / "labels/a.txt").write_text("0 .5 .5 .4 .4\n0 .5 .5 .2 .6\n")


@pytest.mark.parametrize("form", FORMS)
def test_load_takes_every_form(form: str, models: Path) -> None:
    """The pair with both paths, and the `Network`, too."""
    expected = yolodsc.load("net/yolo-v4.cfg", "net/yolo-v4.weights", thresh=0.05)

    for model in (form, Path(form), expected.network):
        assert yolodsc.load(model, thresh=0.05)("a.png").to_json() == expected("a.png").to_json()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["", ".cfg", ".weights", ".npz", ".safetensors"])
def test_load_classifier_takes_every_form(form: str, here: Path) -> None:
    """And `yolodsc detect` prints the same classes."""
    cfg = "[net]\nwidth=16\nheight=16\nchannels=3\n[connected]\noutput=3\nactivation=linear\n[softmax]\n"
    blank = Network.build(parse_cfg(cfg))
    random = np.random.default_rng(0)
    arrays = [
        {name: random.standard_normal(shape).astype(np.float32) for name, shape in layer.weight_shapes().items()}
        for layer in blank.layers
    ]
    (here / "c").mkdir()
    blank.with_weights(arrays).save(here / "c/c.cfg", here / "c/c.weights")
    (here / "c/c.names").write_text("one\ntwo\nthree\n")
    for archive in ("c/c.npz", "c/c.safetensors"):
        cli.run(["convert", "c/c.cfg", archive])
    expected = yolodsc.load_classifier("c/c.cfg", "c/c.weights")("a.png").top(3)
    if form == "":
        for archive in ("c/c.npz", "c/c.safetensors"):
            Path(archive).unlink()

    found = yolodsc.load_classifier(f"c/c{form}" if form else "c")("a.png").top(3)

    assert [(best.name, best.score) for best in found] == [(best.name, best.score) for best in expected]
    assert cli.run(["detect", "a.png", "--model", f"c/c{form}" if form else "c"]) == 0


def test_convert_takes_shipped_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what it wrote; a name that is nearly right is not read."""
    assert cli.run(["convert", "dsc-fastest-voc", "n.cfg"]) == 0
    assert capsys.readouterr().err == "yolodsc: wrote n.cfg and n.weights and n.names\n"
    assert Path("n.names").read_text().startswith("aeroplane\n")
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
