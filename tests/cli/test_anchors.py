"""`yolodsc anchors`: k-means on the IoU of boxes."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.support import NETWORK
from yolodsc import cli
from yolodsc.errors import DatasetError
from yolodsc.evaluation.anchors import box_sizes, fit_anchors, measured_anchors
from yolodsc.evaluation.datasets.dataset import Dataset, ground_truth_of
from yolodsc.images.image import write_image

CENTRES = np.array([(10.0, 20.0), (60.0, 40.0), (200.0, 220.0)])


def clusters(count: int = 200) -> np.ndarray:
    """Boxes around three sizes, (N, 2)."""
    rng = np.random.default_rng(0)
    return np.concatenate([centre * rng.uniform(0.9, 1.1, (count, 2)) for centre in CENTRES])


def test_the_anchors_are_the_centres_of_clusters() -> None:
    """By area, with the number of boxes of each."""
    found = fit_anchors(clusters(), 3)

    np.testing.assert_allclose(found.sizes, CENTRES, rtol=0.02)
    assert found.counts == (200, 200, 200)
    assert found.average_iou > 0.9


def test_the_average_iou_is_darknets() -> None:
    """The mean over the boxes of the best overlap, both centred at one point."""
    found = measured_anchors(np.array([(10.0, 10.0), (100.0, 100.0)]), np.array([(10.0, 20.0), (100.0, 50.0), (10.0, 10.0)]))

    assert found.average_iou == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found.counts == (2, 1)


def test_more_anchors_fit_better_and_no_anchor_is_idle() -> None:
    """Up to one for each size."""
    sizes = clusters(20)

    fits = [fit_anchors(sizes, count) for count in (1, 2, 3, 6, 60)]

    assert [found.average_iou for found in fits] == sorted(found.average_iou for found in fits)
    assert fits[-1].average_iou == pytest.approx(1)
    assert all(min(found.counts) > 0 for found in fits)
    with pytest.raises(DatasetError, match="60 different sizes of boxes; expected at least one for each of 61 anchors"):
        fit_anchors(sizes, 61)


def test_the_seed_decides() -> None:
    """Same seed, same bits."""
    first, second = (fit_anchors(clusters(), 5, seed=3) for _ in range(2))

    np.testing.assert_array_equal(first.sizes, second.sizes)


def test_boxes_are_measured_in_pixels_of_the_input() -> None:
    """Stretched, or in proportion; difficult ones do not count."""
    truth = ground_truth_of([(0, 0, (0, 0, 50, 100), False), (1, 0, (10, 10, 20, 30), False), (1, 0, (0, 0, 9, 9), True)])
    dataset = Dataset(("a",), ("x", "y"), truth, np.array([(100.0, 200.0), (400.0, 400.0)]))

    np.testing.assert_allclose(box_sizes(dataset, width=400, height=200), [(200, 100), (10, 10)])
    np.testing.assert_allclose(box_sizes(dataset, width=400, height=200, letterbox=True), [(50, 100), (5, 10)])
    with pytest.raises(DatasetError, match="y: the size of the image is unknown"):
        box_sizes(Dataset(("a",), ("x", "y"), truth, np.array([(100.0, 200.0), (np.nan, np.nan)])), width=32, height=32)


@pytest.fixture
def labelled(here: Path) -> Path:
    """Four images of 100x80 with labels of Darknet."""
    for number in range(4):
        write_image(here / f"l{number}.png", np.zeros((80, 100, 3), np.uint8))
        lines = [f"0 .5 .5 {0.1 + 0.02 * number} .2", f"1 .5 .5 .{5 + number} .6"]
        (here / f"l{number}.txt").write_text("\n".join(lines) + "\n")
    (here / "list.txt").write_text("".join(f"l{number}.png\n" for number in range(4)))
    return here


def test_the_command_prints_a_line_for_the_cfg(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And compares the anchors of a network; plot and JSON agree with it."""
    words = [
        "anchors",
        "--gt",
        "list.txt",
        "--format",
        "yolo",
        "--count",
        "2",
        "--size",
        "64",
        "--plot",
        "p.png",
        "--json",
        "o.json",
    ]

    assert cli.run([*words, *NETWORK]) == 0

    captured = capsys.readouterr()
    found = json.loads((labelled / "o.json").read_text())
    pairs = [pair.split(",") for pair in captured.out.splitlines()[0].removeprefix("anchors = ").split(",  ")]
    np.testing.assert_allclose(np.array(pairs, float), found["anchors"], atol=0.5)
    assert f"average IoU {100 * found['average_iou']:.2f} % (the network's own anchors: " in captured.out
    assert found["network"]["average_iou"] < found["average_iou"]
    assert captured.err == "yolodsc: wrote p.png\nyolodsc: wrote o.json\n"
    assert (labelled / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_dataset_without_boxes_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    (here / "a.txt").write_text("")

    assert cli.run(["anchors", "--gt", ".", "--format", "yolo"]) == 2
    assert capsys.readouterr().err == "yolodsc: .: no object in the labels of 1 images\n"


def test_training_images_of_a_data_file_count_as_in_calc_anchors(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless `--set valid` is given, or the file has none; another list is an error."""
    (labelled / "valid.txt").write_text("l0.png\n")
    (labelled / "obj.names").write_text("cat\ndog\n")
    (labelled / "obj.data").write_text("classes = 2\ntrain = list.txt\nvalid = valid.txt\nnames = obj.names\n")
    (labelled / "scored.data").write_text("classes = 2\nvalid = valid.txt\nnames = obj.names\n")
    words = ["anchors", "--count", "2", "--data"]

    for arguments in (["obj.data"], ["obj.data", "--set", "valid"], ["obj.data", "--set", "train"], ["scored.data"]):
        assert cli.run([*words, *arguments]) == 0
    boxes = [line.split("; ")[1].split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("average IoU")]
    assert boxes == ["8", "2", "8", "2"]
    assert cli.run([*words, "scored.data", "--set", "train"]) == 2
    assert cli.run([*words, "obj.data", "--set", "test"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "yolodsc: scored.data: no train=; expected the path of a list of images"
    assert errors[1] == "yolodsc: obj.data: no list test; expected one of valid, train"
