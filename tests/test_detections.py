"""`Detections` and what is made of them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.annotated import AnnotatedWriter
from yolodsc.detection.outputs.crops import CropWriter
from yolodsc.detection.outputs.csv_file import CsvWriter
from yolodsc.detection.outputs.json_file import JsonWriter
from yolodsc.detection.outputs.txt_files import TxtWriter
from yolodsc.images.image import read_image, write_image
from yolodsc.network.boxes import Candidates

NAMES = ('plain "quoted"\\', "naïve 猫")
IMAGE = np.full((50, 100, 3), 128, np.uint8)


def two(path: str = "images/a.b.jpg") -> Detections:
    """One box of two classes, one of one."""
    candidates = Candidates(
        np.float32([[0.5, 0.5, 0.2, 0.4], [0.05, 0.1, 0.3, 0.4]]),
        np.float32([0.9, 0.8]),
        np.float32([[0.3, 0.6], [0.0, 0.4]]),
    )
    return Detections.from_candidates(candidates, names=NAMES, width=100, height=50, path=path)


def test_rows_are_boxes_times_classes_best_first() -> None:
    """Darknet is multi-label; corners are in pixels and not clipped."""
    found = two()

    np.testing.assert_allclose(found.scores, [0.6, 0.4, 0.3])
    assert found.class_ids.tolist() == [1, 1, 0]
    np.testing.assert_allclose(found.boxes_xyxy[1], [-10, -5, 20, 15], atol=1e-4)


def test_of_classes_keeps_only_these() -> None:
    """In their order."""
    assert two().of_classes([0]).class_names() == [NAMES[0]]
    assert len(two().of_classes([])) == 0


def test_json_is_valid_whatever_the_names(tmp_path: Path) -> None:
    """Quotes and backslashes are escaped; the schema is Darknet's."""
    path = tmp_path / "new" / "a.json"
    writer = JsonWriter(path)
    writer.add(two("C:\\images\\1.jpg"), IMAGE)
    writer.add(two()[:0], IMAGE)
    writer.close()

    first, second = json.loads(path.read_text())

    assert (first["frame_id"], first["filename"]) == (1, "C:\\images\\1.jpg")
    assert first["objects"][2] == {
        "class_id": 0,
        "name": NAMES[0],
        "relative_coordinates": {"center_x": 0.5, "center_y": 0.5, "width": 0.2, "height": 0.4},
        "confidence": 0.3,
    }
    assert (second["frame_id"], second["objects"]) == (2, [])


def test_nothing_appears_before_the_file_is_whole(tmp_path: Path) -> None:
    """An old file stays until then."""
    path = tmp_path / "a.json"
    path.write_text("old")

    writer = JsonWriter(path)
    writer.add(two(), IMAGE)

    assert path.read_text() == "old"
    writer.close()
    assert json.loads(path.read_text())


def test_csv_has_a_row_a_detection(tmp_path: Path) -> None:
    """Names are quoted where they must be."""
    writer = CsvWriter(tmp_path / "a.csv")
    writer.add(two(), IMAGE)
    writer.close()

    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))

    assert rows[0] == ["path", "class", "score", "xmin", "ymin", "xmax", "ymax"]
    assert rows[3] == ["images/a.b.jpg", NAMES[0], "0.300000", "40.00", "15.00", "60.00", "35.00"]


def test_label_files_keep_the_whole_stem_and_never_collide(tmp_path: Path) -> None:
    """a.b.jpg becomes a.b.txt; a second image of that name a.b_2.txt."""
    writer = TxtWriter(tmp_path)
    writer.add(two(), IMAGE)
    writer.add(two("elsewhere/a.b.png")[:0], IMAGE)
    writer.close()

    assert (tmp_path / "a.b.txt").read_text().splitlines()[2] == "0 0.500000 0.500000 0.200000 0.400000 0.300000"
    assert (tmp_path / "a.b_2.txt").read_text() == ""


def test_annotated_images_never_overwrite_an_input(tmp_path: Path) -> None:
    """Saved into the folder of the images, they get another name."""
    source = tmp_path / "a.png"
    write_image(source, IMAGE)
    before = source.read_bytes()

    AnnotatedWriter(tmp_path, reads=lambda path: path == source).add(two(str(source)), IMAGE)

    assert source.read_bytes() == before
    assert (read_image(tmp_path / "a_2.png") != IMAGE).any()


def test_crops_are_clipped_to_the_image(tmp_path: Path) -> None:
    """Stem, rank, class in the name; boxes outside give no file."""
    CropWriter(tmp_path).add(two("a.jpg"), IMAGE)

    sizes = {path.name: read_image(path).shape[:2] for path in tmp_path.iterdir()}

    assert sizes == {"a_1_naïve-猫.jpg": (20, 20), "a_2_naïve-猫.jpg": (15, 20), "a_3_plain-quoted-.jpg": (20, 20)}


@pytest.mark.parametrize("size", [(1, 1), (5, 400), (76, 100), (900, 1300)])
def test_drawing_works_at_any_size(size: tuple[int, int]) -> None:
    """Also where boxes are outside, not finite, or the label is wider than the image."""
    image = np.zeros((*size, 3), np.uint8)
    boxes = np.float32([[-50, -50, 2000, 2000], [5000, 5000, 6000, 6000], [0, 0, np.nan, 1]])
    found = Detections(boxes, np.float32([0.9] * 3), np.float32([1] * 3), np.array([0, 1, 0]), NAMES, size[1], size[0])

    drawn = found.draw(image)

    assert drawn.shape == image.shape
    assert drawn.any()
    assert not image.any()


def test_long_labels_shrink_until_they_fit() -> None:
    """The plate of a label leaves a column of the image free that a label at full size would run over."""
    names = ("an extraordinarily long name",)
    box, one = np.float32([[0, 40, 399, 79]]), np.float32([1])
    wide = Detections(box, one, one, np.array([0]), names, 400, 80).draw(np.zeros((80, 400, 3), np.uint8))
    narrow = Detections(box, one, one, np.array([0]), names, 150, 80).draw(np.zeros((80, 150, 3), np.uint8))

    plate = (wide[30] != 0).any(axis=1).sum(), (narrow[36] != 0).any(axis=1).sum()

    assert 150 < plate[0] < 400
    assert plate[1] <= 150


def test_grey_images_are_drawn_on_in_colour() -> None:
    """(H, W, 1) becomes (H, W, 3)."""
    assert two().draw(IMAGE[..., :1]).shape == (50, 100, 3)
