"""Refinement of a decomposed network on the images of its calibration."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.scenes import teacher, write_images
from yolodsc.cli import run
from yolodsc.decompose import DecomposeSettings, decompose, read_drawn, with_network
from yolodsc.network.network import Network
from yolodsc.training import refine

pytestmark = pytest.mark.slow


def weights_of(folder: Path) -> list[np.ndarray]:
    """All arrays of the network that the command wrote."""
    network = Network.load(folder / "d.cfg", folder / "d.weights")
    return [array for arrays in network.weights for array in arrays.values()]


def command(folder: Path, *more: str) -> list[str]:
    """One run of decompose on the saved teacher."""
    if not (folder / "t.cfg").exists():
        teacher().save(folder / "t.cfg", folder / "t.weights")
    pair = ["--cfg", str(folder / "t.cfg"), "--weights", str(folder / "t.weights"), "--images", str(folder / "images")]
    return ["decompose", *pair, "--budget", "0.5", "--name", "d", "--threads", "1", *more]


def test_refinement_comes_closer_to_the_original(tmp_path: Path) -> None:
    """The difference from the original's heads and feature maps falls; the output error is measured again."""
    original, paths = teacher(), write_images(tmp_path, 24)
    images = read_drawn(original, paths)
    result = decompose(original, images, DecomposeSettings(budget=0.3))
    losses: list[float] = []

    refined = refine(
        result.network, original, paths, epochs=60, rate=3e-3, progress=lambda what, share: losses.append(float(what.split()[-1]))
    )
    after = with_network(result, original, refined, images, seconds=1.0)

    quarter = len(losses) // 4
    assert np.mean(losses[-quarter:]) < 0.9 * np.mean(losses[:quarter])
    assert after.network is refined
    assert after.output_error != result.output_error
    assert after.seconds == result.seconds + 1.0


def test_the_same_seed_gives_the_same_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``decompose --refine`` is reproducible and changes the weights."""
    write_images(tmp_path, 12)

    statuses = [
        run(command(tmp_path, "--out", str(tmp_path / out), *more))
        for out, *more in (["a"], ["b", "--refine", "2"], ["c", "--refine", "2"])
    ]

    plain, once, again = (weights_of(tmp_path / out) for out in "abc")
    assert statuses == [0, 0, 0]
    assert all(np.array_equal(x, y) for x, y in zip(once, again, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(plain, once, strict=True))


def test_a_network_without_a_head_is_refused_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names the option; no file is written."""
    write_images(tmp_path, 4)
    teacher(head="").save(tmp_path / "t.cfg", tmp_path / "t.weights")

    status = run(command(tmp_path, "--out", str(tmp_path / "out"), "--refine", "1"))

    assert status == 2
    assert "refine" in capsys.readouterr().err
    assert not (tmp_path / "out" / "d.cfg").exists()
