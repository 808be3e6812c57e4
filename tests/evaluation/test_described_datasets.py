"""Datasets that a file or the layout of folders describes."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_datasets import annotation, thing
from yolodsc.cli import run
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.formats import Format, read_dataset, read_ground_truth, require_objects
from yolodsc.images.image import write_image

LABELS = {"a": "0 .5 .5 .2 .4\n1 .2 .2 .2 .2\n", "b": "1 .3 .7 .4 .2\n"}
BOXES = [[80, 30, 120, 70], [20, 10, 60, 30], [20, 60, 100, 80]]


def images(folder: Path, *names: str) -> list[Path]:
    """Black images of 200x100 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in names]
    for path in paths:
        write_image(path, np.zeros((100, 200, 3), np.uint8))
    return paths


def labels(folder: Path, **texts: str) -> None:
    """Label files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (texts or LABELS).items():
        (folder / f"{name}.txt").write_text(text)


def read(path: Path, chosen: str | None = None) -> tuple[Dataset, list[str]]:
    """The dataset and the notes."""
    report = InputReport()
    return read_dataset(path, Format(), report, chosen=chosen), report.notes


@pytest.fixture
def darknet(tmp_path: Path) -> Path:
    """A `.data` file as Darknet's README describes it: paths relative to the folder above it."""
    paths = images(tmp_path / "data/obj", "a", "b")
    labels(tmp_path / "data/obj")
    (tmp_path / "data/test.txt").write_text("".join(f"data/obj/{path.name}\n" for path in paths))
    (tmp_path / "data/obj.names").write_text("cat\ndog\n")
    data = tmp_path / "data/obj.data"
    data.write_text("classes = 2\ntrain = data/train.txt\nvalid = data/test.txt\nnames = data/obj.names\nbackup = backup/\n")
    return data


def found_by(tmp_path: Path, *lines: str) -> Path:
    """A folder of detections of image a."""
    labels(tmp_path / "found", a="\n".join(lines))
    return tmp_path / "found"


def test_darknets_data_file_names_images_labels_and_classes(darknet: Path) -> None:
    """What `detector map` reads: valid= and names=, wherever the command runs."""
    dataset, notes = read(darknet)

    assert dataset.names == ("cat", "dog")
    assert dataset.ids == ("a", "b")
    assert dataset.ground_truth.class_id.tolist() == [0, 1, 1]
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, BOXES)
    assert notes == []


def test_a_data_file_without_valid_is_an_error(darknet: Path) -> None:
    """One that names the key, and one for a path that is not there."""
    text = darknet.read_text()
    darknet.write_text(text.replace("valid =", "test ="))
    with pytest.raises(DatasetError, match=r"obj\.data: no valid="):
        read(darknet)
    darknet.write_text(text.replace("data/test.txt", "data/nothing.txt"))
    with pytest.raises(DatasetError, match=r"obj\.data: valid=data/nothing\.txt: no such file"):
        read(darknet)


def test_the_training_images_of_a_data_file_can_be_selected(darknet: Path) -> None:
    """With `--set train`; difficult= belongs to the images of valid=."""
    (darknet.parent / "train.txt").write_text((darknet.parent / "test.txt").read_text().splitlines()[0] + "\n")
    darknet.write_text(darknet.read_text() + "difficult = nothing.txt\n")

    dataset, notes = read(darknet, "train")

    assert dataset.ids == ("a",)
    assert notes == []
    assert GroundTruthOptions(data=darknet).difficult_treatment == "list"
    assert GroundTruthOptions(data=darknet, image_set="train").difficult_treatment == "drop"


def test_evaluate_scores_a_data_file_as_detector_map(darknet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By Darknet's rule first, with Darknet's totals; difficult= takes detections of its objects off the curve."""
    found = found_by(tmp_path, "0 .5 .5 .2 .4 .9", "0 .8 .8 .2 .2 .8", "1 .2 .2 .2 .2 .7", "1 .2 .2 .21 .2 .6")
    command = [
        "evaluate",
        "--data",
        str(darknet),
        "--detections",
        str(found),
        "--format",
        "yolo",
        "--json",
        str(tmp_path / "a.json"),
    ]

    assert run(command) == 0
    plain, out = json.loads((tmp_path / "a.json").read_text()), capsys.readouterr().out
    labels(tmp_path / "hard", a="0 .8 .8 .2 .2\n", b="")
    images(tmp_path / "hard", "a", "b")
    (tmp_path / "data/hard.txt").write_text("hard/a.png\nhard/b.png\n")
    darknet.write_text(darknet.read_text() + "difficult = data/hard.txt\n")
    assert run(command) == 0
    listed = json.loads((tmp_path / "a.json").read_text())

    assert out.splitlines()[0].startswith("darknet: mean AP 75.00 % of 2 classes (AlexeyAB darknet, detector map")
    assert out.splitlines()[1].startswith("2 images, 3 objects, 4 detections")
    assert "TP 2, FP 2, FN 1; precision 50.00, recall 66.67, F1 57.14 %" in out.splitlines()[2]
    assert plain["headline"]["rule"] == plain["matches"]["rule"] == "darknet"
    assert listed["rules"]["darknet"]["classes"]["cat"]["ap"] == 1.0
    assert "difficult" in capsys.readouterr().out.splitlines()[1]


NAMES = {"list": "names: [cat, dog]", "numbers": "names:\n  0: cat\n  1: dog", "block": "nc: 2\nnames:\n- cat\n- dog"}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_ultralytics_yaml_names_splits_and_classes(tmp_path: Path, names: str) -> None:
    """Folders relative to path:, which is relative to the file; val is evaluated, the others on request."""
    for split, texts in {"train": {"c": "0 .5 .5 .5 .5"}, "val": LABELS}.items():
        images(tmp_path / f"set/images/{split}", *texts)
        labels(tmp_path / f"set/labels/{split}", **texts)
    file = tmp_path / "voc.yaml"
    file.write_text(f"path: set\ntrain: images/train\nval: images/val\ntest:\n{names}\n")

    dataset, notes = read(file)
    train, _ = read(file, "train")

    assert dataset.names == ("cat", "dog")
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, BOXES)
    assert train.ids == ("c",)
    assert notes == ["split val: 2 images"]
    with pytest.raises(DatasetError, match="no split test; expected one of val, train"):
        read(file, "test")


def test_lists_of_paths_and_roboflows_folders_are_splits(tmp_path: Path) -> None:
    """`../valid/images` beside the file, a text file of images, several of them, and the folder that holds data.yaml."""
    images(tmp_path / "valid/images", *LABELS)
    labels(tmp_path / "valid/labels")
    (tmp_path / "list.txt").write_text("valid/images/a.png\n")
    file = tmp_path / "data.yaml"
    file.write_text("train: ../train/images\nval: ../valid/images\ntest: [list.txt]\nnames: [cat, dog]\n")

    assert read(tmp_path)[0].ids == ("a", "b")
    assert read(file, "test")[0].ids == ("a",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [cat", "not YAML"),
        ("val: 5\nnames: [cat]", r"\$\.val"),
        ("val: images\nnames: {0: cat, 2: dog}", "expected 0 to 1"),
        ("names: [cat]", "no split"),
        ("val: nowhere\nnames: [cat]", "nowhere: no such file or folder"),
        ("- 1", "expected"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_yaml_that_describes_nothing_is_one_error(tmp_path: Path, text: str, said: str) -> None:
    """Which names the file or the path."""
    file = tmp_path / "data.yaml"
    file.write_text(text)

    with pytest.raises(DatasetError, match=said):
        read(file)


@pytest.mark.parametrize("layout", ["images/{}", "{}/images", "images"])
def test_a_tree_of_images_and_labels_needs_no_description(tmp_path: Path, layout: str) -> None:
    """Split folders in either order, or none; the names of classes.txt."""
    root = tmp_path / "tree"
    for split, names in (("val", tuple(LABELS)), ("train", ("c",))):
        if layout == "images" and split == "train":
            continue
        folder = root / layout.format(split)
        images(folder, *names)
        labels(root / layout.format(split).replace("images", "labels"), **(LABELS if split == "val" else {"c": "0 .5 .5 .5 .5"}))
    (root / "classes.txt").write_text("cat\ndog\n")

    dataset, _ = read(root)

    assert dataset.names == ("cat", "dog")
    assert dataset.ids == ("a", "b")
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, BOXES)


def test_images_without_labels_are_counted_in_one_note(tmp_path: Path) -> None:
    """They are images without objects, as for Ultralytics."""
    images(tmp_path / "images", "a", "b", "c", "d")
    labels(tmp_path / "labels")

    dataset, notes = read(tmp_path)

    assert dataset.ids == ("a", "b", "c", "d")
    assert len(notes) == 1
    assert "2 of 4 images are taken as images without objects" in notes[0]


def test_labels_with_scores_are_read_without_them(tmp_path: Path) -> None:
    """Six columns, as detect writes them; a polygon stands for the box around it."""
    images(tmp_path / "images", "a", "b")
    labels(tmp_path / "labels", a="0 .5 .5 .2 .4 .93\n1 .2 .2 .2 .2 .5\n", b="1 .1 .6 .5 .6 .5 .8 .1 .8\n")

    dataset, notes = read(tmp_path)

    assert dataset.ground_truth.class_id.tolist() == [0, 1, 1]
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, BOXES)
    assert notes == ["a.txt: 2 lines have a sixth column, which is not part of ground truth (a score); ignored"]


def labelme(path: Path, **more: object) -> None:
    """One file of LabelMe's: a rectangle drawn from its lower right corner, a polygon and a circle."""
    shapes = [
        {"label": "cat", "points": [[120, 70], [80, 30]], "shape_type": "rectangle", "flags": {}, "group_id": None},
        {"label": "dog", "points": [[20, 20], [40, 10], [60, 20], [40, 30]], "shape_type": "polygon"},
        {"label": "dog", "points": [[100, 50], [100, 60]], "shape_type": "circle", "difficult": True},
    ]
    content = {"version": "5.0", "shapes": shapes, "imagePath": "a.png", "imageData": None, "imageHeight": 100, "imageWidth": 200}
    path.write_text(json.dumps({**content, **more}))


def test_labelme_shapes_become_boxes(tmp_path: Path) -> None:
    """With the image that the file names; shapes without area and files of other programs are reported."""
    images(tmp_path, "a")
    labelme(tmp_path / "x.json")
    (tmp_path / "y.json").write_text('{"a": 1}')
    labelme(tmp_path / "z.json", shapes=[{"label": "cat", "points": [[1, 1]], "shape_type": "point"}])

    dataset, notes = read(tmp_path)

    assert dataset.names == ("cat", "dog")
    assert dataset.ids == ("x", "z")
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, [*BOXES[:2], [90, 40, 110, 60]])
    assert dataset.ground_truth.difficult.tolist() == [False, False, True]
    assert dataset.paths is not None
    assert dataset.paths[0] == tmp_path / "a.png"
    assert "point cat has no area; skipped" in "".join(notes)
    assert any("y.json" in note for note in notes)
    assert read_ground_truth(tmp_path, Format(name="labelme"), InputReport()).ids == dataset.ids


@pytest.mark.parametrize("folder", ["val2017", "images", "images/val2017", "annotations"])
def test_cocos_images_are_found_beside_its_annotations(tmp_path: Path, folder: str) -> None:
    """Where COCO and Roboflow keep them."""
    images(tmp_path / folder, "a")
    file = tmp_path / "annotations/instances_val2017.json"
    file.parent.mkdir(exist_ok=True)
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [{"image_id": 7, "category_id": 3, "bbox": [80, 30, 40, 40], "area": 1600, "iscrowd": 0}],
    }
    file.write_text(json.dumps(content))

    dataset, _ = read(file)

    assert dataset.paths == (tmp_path / folder / "a.png",)
    np.testing.assert_allclose(dataset.ground_truth.boxes_xyxy, BOXES[:1])


def test_a_voc_tree_is_recognised(tmp_path: Path) -> None:
    """By its folders."""
    for folder in ("Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Annotations/a.xml").write_text(annotation(thing()))
    (tmp_path / "ImageSets/Main/test.txt").write_text("a\n")

    assert read(tmp_path)[0].ids == ("a",)


def test_a_dataset_of_which_nothing_can_be_used_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No object, no detection, no class in common: exit status 2 and one line that says why."""
    images(tmp_path / "images", "a")
    labels(tmp_path / "labels", a="cat\n")
    found = found_by(tmp_path, "0 .5 .5 .2 .4 .9")
    command = ["evaluate", "--data", str(tmp_path), "--detections", str(found), "--format", "yolo"]

    assert run(command) == 2
    labels(tmp_path / "labels", a="0 .5 .5 .2 .4\n")
    (found / "a.txt").rename(found / "z.txt")
    assert run(command) == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(["evaluate", "--data", str(empty), "--detections", str(found)]) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "no object in the labels of 1 images: a.txt:1: 'cat' is no class and 4 numbers; skipped" in said[0]
    assert "none of 1 detections can be used: 1 detections of 1 images that are not in the set ('z')" in said[1]
    assert "no dataset in it; expected a VOC tree" in said[2]
    with pytest.raises(DatasetError, match="no object"):
        require_objects(Dataset(("a",), ("x",), read(tmp_path)[0].ground_truth[:0], np.zeros((1, 2))), tmp_path, InputReport())
