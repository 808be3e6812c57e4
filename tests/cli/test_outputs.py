"""What `detect` writes, and where: standard output, label files, annotations, results of COCO."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.cli.support import NETWORK, remarks, run
from yolodsc import cli
from yolodsc.detection import CocoWriter, Detections, VocWriter
from yolodsc.detection.outputs.coco_file import COCO_CATEGORIES, category_ids

DETECT = [*NETWORK, "--thresh", ".05"]


def detections(path: str, *boxes: tuple[float, float, float, float], names: tuple[str, ...] = ("a", "b")) -> Detections:
    """Detections of class 1 in an image of 100x80."""
    count = len(boxes)
    corners, scores = np.array(boxes, np.float32).reshape(-1, 4), np.full(count, 0.5, np.float32)
    return Detections(corners, scores, scores, np.ones(count, np.int64), names, 100, 80, path)


IMAGE = np.zeros((80, 100, 3), np.uint8)


@pytest.mark.parametrize("option", ["--json", "--csv", "--coco"])
def test_a_hyphen_writes_to_standard_output(option: str, here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nothing but the file's content goes there, and no file named - appears."""
    assert cli.run(["detect", "a.png", *DETECT, option, "file"]) == 0
    capfdbinary.readouterr()

    assert cli.run(["detect", "a.png", *DETECT, option, "-"]) == 0

    assert capfdbinary.readouterr().out == (here / "file").read_bytes()
    assert not (here / "-").exists()


@pytest.mark.slow
def test_standard_output_is_utf_8_whatever_the_locale_says(here: Path) -> None:
    """Names that ASCII lacks arrive as they are; a reader that leaves ends the run quietly."""
    (here / "c.names").write_text("猫\nb\nc\nd\ne\n", encoding="utf-8")
    words = ["detect", "a.png", *DETECT, "--names", "c.names", "--classes", "0", "--csv", "-"]

    done = run(*words, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    left = run("detect", "a.png", *DETECT, "--csv", "-", shell="{{ {}; echo $? >&2; }} | true")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows
    assert {row["class"] for row in rows} == {"猫"}
    assert remarks(left.stderr).split() in (["141"], ["0"])


@pytest.mark.parametrize("command", ["detect", "evaluate"])
def test_two_outputs_do_not_share_standard_output(command: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names both."""
    source = ["a.png"] if command == "detect" else ["--gt", ".", "--format", "yolo"]

    assert cli.run([command, *source, *NETWORK, "--json", "-", "--csv", "-"]) == 2
    assert capsys.readouterr().err == "yolodsc: --json and --csv write to standard output; expected one of them\n"


@pytest.mark.parametrize("words", [["summary", *NETWORK], ["bench", *NETWORK, "--seconds", "0", "--peers", ""]])
def test_other_commands_write_json_to_standard_output(
    words: list[str], here: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """And nothing else."""
    assert cli.run([*words, "--json", "-"]) == 0
    assert json.loads(capfdbinary.readouterr().out)
    assert not (here / "-").exists()


@pytest.mark.parametrize(("option", "name"), [("--txt", "a.txt"), ("--xml", "a.xml")])
def test_labels_are_not_overwritten(option: str, name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any image is read; ``--overwrite`` replaces them."""
    folder = here / "labels"
    folder.mkdir()
    (folder / name).write_text("ground truth")

    assert cli.run(["detect", "a.png", *DETECT, option, "labels"]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"yolodsc: labels/{name}: is there already; expected another directory, or --overwrite\n"
    assert captured.out == ""
    assert (folder / name).read_text() == "ground truth"

    assert cli.run(["detect", "a.png", *DETECT, option, "labels", "--overwrite"]) == 0
    assert (folder / name).read_text() != "ground truth"


def test_labels_may_come_without_scores(here: Path) -> None:
    """Five columns, as training reads them; six otherwise."""
    for option, columns in (("--score", 6), ("--no-score", 5)):
        assert cli.run(["detect", "a.png", *DETECT, "--txt", f"txt{columns}", option]) == 0
        lines = (here / f"txt{columns}/a.txt").read_text().splitlines()
        assert lines
        assert {len(line.split()) for line in lines} == {columns}


@pytest.mark.parametrize(("option", "other"), [("--no-score", "--txt"), ("--overwrite", "--txt or --xml")])
def test_options_of_labels_go_with_labels(option: str, other: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone they are refused."""
    assert cli.run(["detect", "a.png", *NETWORK, option]) == 2
    assert capsys.readouterr().err == f"yolodsc: {option} goes with {other}\n"


def test_coco_results_are_what_pycocotools_reads(tmp_path: Path) -> None:
    """Numbers of images from their names, categories from 1, boxes as left, top, width and height."""
    writer = CocoWriter(tmp_path / "r.json")
    writer.add(detections("x/000000000139.jpg", (10, 20, 40, 60)), IMAGE)
    writer.add(detections("x/dog.jpg"), IMAGE)
    writer.add(detections("x/cat.jpg", (-1, 0, 3, 4)), IMAGE)
    writer.close()

    assert json.loads((tmp_path / "r.json").read_text()) == [
        {"image_id": 139, "category_id": 2, "bbox": [10, 20, 30, 40], "score": 0.5},
        {"image_id": "cat", "category_id": 2, "bbox": [-1, 0, 4, 4], "score": 0.5},
    ]


def test_the_classes_of_coco_have_its_categories() -> None:
    """80 of 90 numbers: 1 is a person, 90 a toothbrush."""
    names = ("person", *map(str, range(78)), "toothbrush")

    assert (len(COCO_CATEGORIES), COCO_CATEGORIES[11], COCO_CATEGORIES[-1]) == (80, 13, 90)
    assert category_ids(names) == COCO_CATEGORIES
    assert list(category_ids(("a", "b"))) == [1, 2]


def test_annotations_are_read_back_as_ground_truth(tmp_path: Path) -> None:
    """Inside the image, counted from 1; what lies outside is left out, and names that XML cannot hold are mended."""
    from yolodsc.evaluation import InputReport, read_voc

    writer = VocWriter(tmp_path / "Annotations")
    writer.add(detections("p/a.png", (10.4, 20, 40, 60), (-5, -5, 300, 300), (200, 0, 300, 5), names=("a", "b & <c>\x01")), IMAGE)
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    (tmp_path / "ImageSets/Main/test.txt").write_text("a\n")

    dataset = read_voc(tmp_path, "test", InputReport())

    assert dataset.names == ("b & <c>\N{REPLACEMENT CHARACTER}",)
    assert dataset.ground_truth.boxes_xyxy.tolist() == [[11, 21, 41, 61], [1, 1, 100, 80]]
    assert ElementTree.parse(tmp_path / "Annotations/a.xml").findtext("object/confidence") == "0.500000"


def test_a_missing_path_is_reported_and_the_others_go_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1; 2 if nothing is there."""
    status = cli.run(["detect", "none.png", "a.png", "no*.jpg", *DETECT])

    captured = capsys.readouterr()
    assert status == 1
    assert remarks(captured.err) == "yolodsc: none.png: no such file or directory\nyolodsc: no*.jpg: no file matches\n"
    assert captured.out.startswith("a.png: 100x76")
    assert cli.run(["detect", "none.png", *DETECT]) == 2


def test_a_run_says_what_it_found_and_wrote(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: images, objects by class, rate, times, and places."""
    (here / "c.names").write_text("cat\ndog\ncow\nbus\ncar\n")
    words = ["detect", "a.png", "a.png", *DETECT, "--names", "c.names", "--txt", "t", "--json", "j", "--csv", "c"]

    cli.run(words)

    totals, wrote = capsys.readouterr().err.splitlines()[-2:]
    assert totals.startswith("yolodsc: 2 images, ")
    assert " images/s; ms an image: read " in totals
    assert "cat " in totals
    assert wrote == "yolodsc: wrote labels to t/, detections to j and c"
    cli.run([*words, "--overwrite", "--quiet"])
    assert capsys.readouterr() == ("", "")
