"""What an interrupted run says about what is kept, and how to go on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.support import NETWORK, remarks
from yolodsc import cli
from yolodsc.images.image import write_image
from yolodsc.training import Trainer


@pytest.fixture
def labelled(here: Path) -> Path:
    """Two images with labels and five names."""
    for name in ("a", "b"):
        (here / f"{name}.txt").write_text("0 .5 .5 .2 .2\n")
    write_image(here / "b.png", np.zeros((76, 100, 3), np.uint8))
    (here / "c.names").write_text("a\nb\nc\nd\ne\n")
    return here


EVALUATE = ["evaluate", "--gt", ".", "--format", "yolo", "--images", ".", *NETWORK, "--names", "c.names", "--thresh", ".9"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "yolodsc: interrupted; --save-detections DIR makes runs that can be resumed\n"),
        (
            ["--save-detections", "d"],
            "yolodsc: interrupted; the detections so far are in d/; the same command with --resume continues\n",
        ),
        (["--quiet"], ""),
    ],
)
def test_an_interrupted_evaluation_says_how_to_go_on(
    options: list[str], said: str, labelled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does what it says."""
    from yolodsc.cli import inference

    whole = inference.run_inference

    def interrupted(*given: Any, **more: Any) -> Iterator[Any]:
        yield next(whole(*given, **more))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inference, "run_inference", interrupted)
        assert cli.run([*EVALUATE, *options]) == 130
    assert remarks(capsys.readouterr().err) == said
    if "--save-detections" in options:
        assert cli.run([*EVALUATE, *options, "--resume"]) == 0


@pytest.mark.slow
def test_an_interrupted_training_says_how_to_go_on(
    labelled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the folder and the option."""
    pair = NETWORK[1::2]
    command = ["finetune", "--student", *pair, "--teacher", *pair, "--images", ".", "--out", "o", "--epochs", "2", "--batch", "1"]

    def interrupted(trainer: Trainer, **more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "run", interrupted)

    assert cli.run(command) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "yolodsc: interrupted; step 0 of 4 is saved in o/; the same command with --resume continues"
