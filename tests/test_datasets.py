"""Ground truth and detections as they lie on disk, whole and broken."""

import json
from pathlib import Path

import numpy as np
import pytest

from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation.datasets.comp4 import read_comp4, write_comp4
from yolodsc.evaluation.datasets.dataset import InputReport
from yolodsc.evaluation.datasets.formats import Format, read_detections, read_ground_truth
from yolodsc.evaluation.datasets.labels import label_path
from yolodsc.evaluation.datasets.text import mark_difficult, read_folder
from yolodsc.evaluation.datasets.voc import read_voc
from yolodsc.evaluation.evaluation import evaluate
from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.images.image import write_image

BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>
<annotation><object><name>&y;</name></object></annotation>"""

SIZE_99 = "<size><width>100</width><height>99</height></size>"


def annotation(*objects: str, size: str = "<size><width>100</width><height>76</height><depth>3</depth></size>") -> str:
    """An XML file."""
    return f"<annotation>{size}{''.join(objects)}</annotation>"


def thing(box: str = "11 21 50 60", name: str = "<name>cat</name>", difficult: str = "0") -> str:
    """One object of it; a side called ``-`` is left out."""
    tags = zip(("xmin", "ymin", "xmax", "ymax"), box.split(), strict=True)
    sides = "".join(f"<{tag}>{side}</{tag}>" for tag, side in tags if side != "-")
    return f"<object>{name}<difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A VOC tree with one good image, ``a``; tests add to it."""
    root = tmp_path / "VOC2007"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    write_image(root / "JPEGImages/a.png", np.zeros((76, 100, 3), np.uint8))
    (root / "Annotations/a.xml").write_text(annotation(thing()))
    (root / "ImageSets/Main/test.txt").write_text("a\n")
    return root


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_entities_are_refused_in_every_encoding(tree: Path, encoding: str) -> None:
    """The fast parser, which would expand them, does not see a file that can define entities."""
    (tree / "Annotations/a.xml").write_bytes(
        BOMB.replace('version="1.0"', f'version="1.0" encoding="{encoding[:6]}"').encode(encoding)
    )
    with pytest.raises(DatasetError, match="cannot be parsed as safe XML"):
        read_voc(tree, "test", InputReport(strict=True))


@pytest.mark.parametrize(
    ("text", "said", "objects"),
    [
        (BOMB, "cannot be parsed as safe XML (EntitiesForbidden)", 0),
        ("<annotation><object>", "cannot be parsed as safe XML (ParseError)", 0),
        (annotation(thing("1 - 20 20"), thing()), "cat lacks a field of its box", 1),
        (annotation(thing("1 x 20 20"), thing()), "cat lacks a field of its box", 1),
        (annotation(thing("1 nan 20 20"), thing()), "cat lacks a field of its box", 1),
        (annotation(thing(name=""), thing()), "object without name lacks a field", 1),
        (annotation(thing("20 20 20 40"), thing()), "cat has a box without area (20 20 20 40)", 1),
        (annotation(thing("40 20 20 40"), thing()), "cat has a box without area (40 20 20 40)", 1),
        (annotation(thing("200 20 250 40"), thing()), "cat lies outside of the image of 100x76", 1),
        (annotation(thing(), size=SIZE_99), "size 100x99, but the image has 100x76", 1),
    ],
)  # fmt: skip
def test_faults_of_annotations_are_reported_by_file_or_refused(tree: Path, text: str, said: str, objects: int) -> None:
    """Faulty objects are left out one by one, unreadable files whole; strict stops at the first."""
    (tree / "Annotations/b.xml").write_text(text)
    write_image(tree / "JPEGImages/b.png", np.zeros((76, 100, 3), np.uint8))
    (tree / "ImageSets/Main/test.txt").write_text("a\nb\n")
    report = InputReport()

    dataset = read_voc(tree, "test", report)

    assert len(report.notes) == 1
    assert "b.xml" in report.notes[0]
    assert said in report.notes[0]
    assert len(dataset.ground_truth) == 1 + objects
    with pytest.raises(DatasetError, match=r"b\.xml"):
        read_voc(tree, "test", InputReport(strict=True))


def test_the_images_own_size_counts(tree: Path) -> None:
    """An XML without size, and one whose size is another's."""
    (tree / "Annotations/a.xml").write_text(annotation(thing(), size=""))

    dataset = read_voc(tree, "test", InputReport())

    assert dataset.sizes.tolist() == [[100, 76]]
    assert dataset.limits.tolist() == [[1, 1, 100, 76]]


def test_sets_are_names_or_files_of_ids_or_paths(tree: Path, tmp_path: Path) -> None:
    """A second column and repetitions don't count; a file that is not there is named."""
    listed = tmp_path / "mine.txt"
    listed.write_text("a  1\n\n/some/where/a.jpg\n")

    assert read_voc(tree, str(listed), InputReport()).ids == ("a",)
    with pytest.raises(DatasetError, match=r"set train: no file .*train\.txt"):
        read_voc(tree, "train", InputReport())


def test_classes_are_the_twenty_or_those_of_the_labels(tree: Path) -> None:
    """In a VOC tree; a folder of XML alone tells only what it has."""
    (tree / "Annotations/a.xml").write_text(annotation(thing(), thing(name="<name>tea pot</name>")))

    assert read_voc(tree, "test", InputReport()).names == ("cat", "tea pot")
    (tree / "Annotations/a.xml").write_text(annotation(thing()))
    assert len(read_voc(tree, "test", InputReport()).names) == 20
    assert read_ground_truth(tree / "Annotations", Format(), InputReport()).names == ("cat",)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("/d/VOC2007/JPEGImages/000001.jpg", "/d/VOC2007/labels/000001.txt"),
        ("coco/images/train2017/1.jpg", "coco/labels/train2017/1.txt"),
        ("coco/images/val2017/1.PNG", "coco/labels/val2017/1.txt"),
        ("coco/images/val2014/1.jpeg", "coco/labels/val2014/1.txt"),
        ("data/images/1.jpg", "data/images/1.txt"),
        ("data\\JPEGImages\\1.bmp", "data/labels/1.txt"),
        ("a.jpg/b.ppm", "a.jpg/b.txt"),
        ("obj/img.01.tiff", "obj/img.01.txt"),
    ],
)
def test_labels_lie_where_darknet_looks(image: str, labels: str) -> None:
    """Known folders are exchanged, plain ``images`` is not, then the ending."""
    assert label_path(image) == Path(labels)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Two labelled images, as Darknet lists them."""
    for folder in ("JPEGImages", "labels", "hard"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        write_image(tmp_path / f"JPEGImages/{name}.png", np.zeros((100, 200, 3), np.uint8))
        (tmp_path / f"labels/{name}.txt").write_text("1 0.5 0.5 0.2 0.4\n")
    (tmp_path / "list.txt").write_text("JPEGImages/a.png\nJPEGImages/b.png\n")
    return tmp_path


def test_yolo_lists_and_folders_give_the_same_dataset(yolo: Path) -> None:
    """Images tell the sizes, names the classes."""
    listed = read_folder(yolo / "list.txt", "yolo", InputReport(), names=("cat", "dog"))
    folder = read_folder(yolo / "labels", "yolo", InputReport(), names=("cat", "dog"))

    assert listed.ids == folder.ids == ("a", "b")
    assert listed.names == ("cat", "dog")
    assert listed.ground_truth.class_id.tolist() == [1, 1]
    np.testing.assert_allclose(listed.ground_truth.boxes_xyxy[0], [80, 30, 120, 70])
    np.testing.assert_array_equal(listed.ground_truth.boxes_xyxy, folder.ground_truth.boxes_xyxy)


@pytest.mark.parametrize("names", [(), ("zero", "one", "two", "three", "four", "five", "six")])
def test_class_numbers_mean_the_same_in_labels_and_detections(yolo: Path, names: tuple[str, ...]) -> None:
    """With names or without, also where some numbers don't occur."""
    (yolo / "labels/b.txt").write_text("6 0.3 0.3 0.2 0.4\n")
    (yolo / "found").mkdir()
    for name in "ab":
        label = (yolo / f"labels/{name}.txt").read_text().strip()
        (yolo / f"found/{name}.txt").write_text(f"{label} 0.9\n")
    form, report = Format(name="yolo", names=names), InputReport(strict=True)

    dataset = read_ground_truth(yolo / "labels", form, report)
    found, _ = read_detections(yolo / "found", dataset, form, report)

    rule = RULES["voc10"]
    result = score_detections([rule], dataset.ground_truth, found, classes=len(dataset.names), images=2)
    assert found.class_id.tolist() == dataset.ground_truth.class_id.tolist()
    assert result[rule.name].mean_ap == 1


def test_an_unreadable_image_is_named_where_its_size_is_needed(yolo: Path) -> None:
    """Rules of whole pixels cannot be applied without."""
    (yolo / "JPEGImages/b.png").write_bytes(b"no image")
    dataset = read_ground_truth(yolo / "labels", Format(name="yolo"), InputReport())

    with pytest.raises(DatasetError, match=r"b\.png cannot be read"):
        evaluate(dataset, DetectionTable.empty(), [RULES["voc10"]])


@pytest.mark.parametrize("line", ["1 .5 .5 .2", "1 .5 .5 .2 .4 .3 .3 .1", "1 .5 .5 nan .4", "one .5 .5 wide .4"])
def test_lines_that_are_no_labels_are_reported(yolo: Path, line: str) -> None:
    """With file and number."""
    (yolo / "labels/b.txt").write_text(f"1 .1 .1 .1 .1\n{line}\n")
    report = InputReport()

    dataset = read_folder(yolo / "list.txt", "yolo", report)

    assert len(dataset.ground_truth) == 2
    assert report.notes[0].startswith("b.txt:2:")


def test_images_without_sizes_leave_the_rules_of_whole_pixels_out(yolo: Path) -> None:
    """Relative boxes can be compared, but not by +1."""
    for path in (yolo / "JPEGImages").iterdir():
        path.unlink()

    dataset = read_ground_truth(yolo / "labels", Format(name="yolo"), InputReport())

    assert dataset.relative
    assert dataset.ground_truth.boxes_xyxy.max() < 1


def test_equal_names_in_two_folders_stay_two_images(tmp_path: Path) -> None:
    """Where Darknet's ids would collide."""
    for folder in "xy":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "list.txt").write_text("x/1.jpg\ny/1.jpg\n")

    dataset = read_folder(tmp_path / "list.txt", "yolo", InputReport())

    assert len(set(dataset.ids)) == 2


def test_labels_may_lie_where_ultralytics_keeps_them(tmp_path: Path) -> None:
    """Where Darknet would find none; none at all is an error."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "list.txt").write_text("images/a.jpg\nimages/b.jpg\n")
    with pytest.raises(DatasetError, match=r"no label files of 2 images; looked for .*images/a\.txt"):
        read_folder(tmp_path / "list.txt", "yolo", InputReport())
    (tmp_path / "labels/b.txt").write_text("0 .5 .5 .2 .2\n")
    report = InputReport()

    dataset = read_folder(tmp_path / "list.txt", "yolo", report)

    assert dataset.ground_truth.image.tolist() == [1]
    assert len(report.notes) == 1


def test_a_difficult_list_adds_difficult_objects(yolo: Path) -> None:
    """Darknet's ``difficult=``: a second list in the same order; another length is refused."""
    for name in "ab":
        (yolo / f"hard/{name}.txt").write_text("0 0.1 0.1 0.1 0.1\n" if name == "b" else "")
    listed = yolo / "hard.txt"
    listed.write_text("hard/a.png\nhard/b.png\n")
    dataset = read_folder(yolo / "list.txt", "yolo", InputReport(), names=("cat", "dog"))

    found = mark_difficult(dataset, listed, InputReport())

    assert found.ground_truth.difficult.tolist() == [False, False, True]
    assert found.ground_truth.image[-1] == 1
    listed.write_text("hard/a.png\n")
    with pytest.raises(DatasetError, match="1 images; expected the 2"):
        mark_difficult(dataset, listed, InputReport())


def test_comp4_headers_and_broken_lines(tree: Path, tmp_path: Path) -> None:
    """A first line that is none of a detection is a header; any other is reported."""
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "comp4_det_test_cat.txt").write_text("image score x1 y1 x2 y2\na 0.5 11 21 50 60\na much 1 2 3 4\n")
    report = InputReport()

    rows, missing = read_comp4(folder, ("cat", "dog"), report)

    assert rows.ids == ["a"]
    assert missing == {1}
    assert any("comp4_det_test_cat.txt:3" in note for note in report.notes)
    assert any("no file for dog" in note for note in report.notes)


def test_comp4_files_come_back_as_they_were_written(tree: Path, tmp_path: Path) -> None:
    """Class names with blanks and letters beyond ASCII; boxes cut at the borders."""
    (tree / "Annotations/a.xml").write_text(
        annotation(thing(), thing(name="<name>tea pot</name>"), thing(name="<name>Vogelhäuschen</name>"))
    )
    dataset = read_voc(tree, "test", InputReport())
    rows = "".join(f'{{"image_id": "a", "category_id": {c}, "bbox": [-5, 2, 30, 40], "score": 0.{c + 1}}},' for c in range(3))
    (tmp_path / "r.json").write_text(f"[{rows[:-1]}]")
    found, _ = read_detections(tmp_path / "r.json", dataset, Format(), InputReport())
    folder = tmp_path / "out"

    write_comp4(folder, dataset, found, chosen="test")
    again, missing = read_detections(folder, dataset, Format(), InputReport())

    assert not missing
    assert again.class_id.tolist() == [0, 1, 2]
    assert again.score.tolist() == [0.1, 0.2, 0.3]
    assert sorted(path.name for path in folder.iterdir())[-1] == "comp4_det_test_tea pot.txt"


def test_darknets_own_json_is_read(tree: Path, tmp_path: Path) -> None:
    """Relative boxes, Windows paths whose backslashes nobody escaped, and the malformed empty list."""
    place = {"center_x": 0.3, "center_y": 0.5, "width": 0.4, "height": 0.5}
    frame = {
        "frame_id": 1,
        "filename": "PATH",
        "objects": [{"class_id": 7, "name": "cat", "relative_coordinates": place, "confidence": 0.9}],
    }
    file = tmp_path / "result.json"
    file.write_text(json.dumps([frame]).replace("PATH", r"C:\new\VOC\a.jpg"))
    dataset = read_voc(tree, "test", InputReport())

    found, missing = read_detections(file, dataset, Format(), InputReport())
    file.write_text("\n]")
    empty, _ = read_detections(file, dataset, Format(), InputReport())

    assert found.score.tolist() == [0.9]
    assert dataset.names[found.class_id[0]] == "cat"
    np.testing.assert_allclose(found.boxes_xyxy, [[11, 20, 51, 58]])
    assert not missing
    assert len(empty) == 0


def test_coco_results_of_unknown_images_are_reported(tree: Path, tmp_path: Path) -> None:
    """And left out; the rest counts."""
    rows = [{"image_id": i, "category_id": 7, "bbox": [10, 20, 40, 40], "score": 0.5} for i in ("a", "z")]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    dataset, report = read_voc(tree, "test", InputReport()), InputReport()

    found, _ = read_detections(tmp_path / "r.json", dataset, Format(), report)

    assert len(found) == 1
    assert report.notes == ["1 detections of 1 images that are not in the set ('z'): left out"]


@pytest.mark.parametrize(
    "text", ["{", '{"a": 1}', '[{"image_id": "a"}]', "[1]", '[{"image_id": "a", "category_id": 0, "bbox": [1], "score": 1}]']
)
def test_broken_json_is_one_error(tree: Path, tmp_path: Path, text: str) -> None:
    """Which names the file."""
    (tmp_path / "r.json").write_text(text)

    with pytest.raises(DatasetError, match=r"r\.json"):
        read_detections(tmp_path / "r.json", read_voc(tree, "test", InputReport()), Format(), InputReport())


def test_a_dataset_without_objects_can_be_scored(tree: Path) -> None:
    """No mean, or 0 where the rule counts empty classes."""
    (tree / "Annotations/a.xml").write_text(annotation())
    dataset = read_voc(tree, "test", InputReport())
    found, _ = read_detections(_with_one_cat(tree), dataset, Format(), InputReport())

    results = score_detections(RULES.values(), dataset.ground_truth, found, classes=20, images=1)

    assert {name: result.mean_ap for name, result in results.items() if result.mean_ap is not None} == {
        "darknet": 0.0,
        "darknet-11": 0.0,
        "darknet-101": 0.0,
    }


def _with_one_cat(tree: Path) -> Path:
    path = tree / "cat.json"
    path.write_text('[{"image_id": "a", "category_id": 7, "bbox": [10, 20, 40, 40], "score": 0.5}]')
    return path


@pytest.mark.parametrize("option", [{"name": "pascal"}, {"corners": "xyxyxy"}])
def test_unknown_formats_are_refused(option: dict[str, str]) -> None:
    """With the ones that there are."""
    with pytest.raises(OptionError, match="expected"):
        Format(**option)  # type: ignore[arg-type]
