"""`Detections` as a list, as text, as tables and as images."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import yolodsc
from yolodsc.detection.detections import Detections
from yolodsc.errors import ImageError, MissingExtraError, OptionError
from yolodsc.images.image import read_image

NAMES = ("cat", "dog, small", "<b>猫</b>")
IMAGE = np.arange(50 * 100 * 3, dtype=np.uint8).reshape(50, 100, 3)


def three(**fields: Any) -> Detections:
    """Three boxes, one of which leaves the image."""
    boxes = np.float32([[10, 5, 30, 25], [-10, -5, 20, 15], [40, 20, 90, 45]])
    scores = np.float32([0.9, 0.5, 0.25])
    values: dict[str, Any] = {"path": "a/b.jpg", "image": IMAGE, **fields}
    return Detections(boxes, scores, scores, np.array([1, 0, 2]), NAMES, 100, 50, **values)


def test_detections_are_a_list_of_single_objects() -> None:
    """Length, iteration, indices from both ends, and plain Python values."""
    found = three()

    names = [one.name for one in found]

    assert len(found) == 3
    assert names == ["dog, small", "cat", "<b>猫</b>"]
    assert found[0] == yolodsc.Detection(1, "dog, small", pytest.approx(0.9), (10, 5, 30, 25))  # type: ignore[arg-type]
    assert found[np.int64(-1)] == found[2]
    assert isinstance(found[0].score, float)
    assert found[0].track_id is None
    assert three(track_ids=np.array([7, 8, 9]))[1].track_id == 8


def test_an_index_beyond_the_end_is_an_index_error() -> None:
    """As for a list, so that the iteration protocol and `reversed` work."""
    with pytest.raises(IndexError, match="detection 3 of 3"):
        three()[3]
    assert [one.class_id for one in reversed(three())] == [2, 0, 1]


@pytest.mark.parametrize(
    "rows", [slice(1, None), [1, 2], np.array([1, 2]), [False, True, True], np.array([False, True, True])], ids=repr
)
def test_slices_masks_and_index_lists_give_detections(rows: Any) -> None:
    """With all columns and the image."""
    part = three(track_ids=np.array([7, 8, 9]))[rows]

    assert part.class_ids.tolist() == [0, 2]
    assert part.track_ids is not None
    assert part.track_ids.tolist() == [8, 9]
    assert part.image is IMAGE


def test_an_empty_list_of_rows_gives_no_detections() -> None:
    """NumPy would read it as floats and refuse it."""
    assert len(three()[[]]) == 0


@pytest.mark.parametrize("classes", ["cat", 0, ["cat"], [0], (np.int64(0),), "0"])
def test_classes_are_selected_by_name_or_number(classes: Any) -> None:
    """One of them or several."""
    assert three().of_classes(classes).class_names() == ["cat"]


def test_a_class_name_with_a_comma_is_one_class() -> None:
    """Text without such a class is a list separated by commas."""
    assert three().of_classes("dog, small").class_names() == ["dog, small"]
    assert len(three().of_classes("cat, 2")) == 2


def test_an_unknown_class_is_refused_with_the_nearest() -> None:
    """The error names the parameter as Python spells it."""
    with pytest.raises(OptionError, match=r"^classes=cta: unknown class; expected cat, .*; did you mean cat\?"):
        three().of_classes("cta")


def test_clip_moves_boxes_into_the_image() -> None:
    """The detections themselves keep Darknet's boxes."""
    found = three()

    clipped = found.clip()

    assert clipped[1].box_xyxy == (0, 0, 20, 15)
    assert found[1].box_xyxy == (-10, -5, 20, 15)


def test_repr_is_one_short_line() -> None:
    """Of detections, single objects, networks and detectors."""
    assert repr(three()) == "Detections(a/b.jpg, 100x50: 1 dog, small, 1 cat, 1 <b>猫</b>)"
    assert repr(three()[:0].without_image()) == "Detections(a/b.jpg, 100x50: no objects)"
    assert repr(three()[0]) == "Detection(dog, small 0.900, box_xyxy=(10.0, 5.0, 30.0, 25.0))"
    with yolodsc.load("dsc-fastest-voc") as detector:
        texts = [repr(detector), repr(detector.network)]
    assert all(len(text) < 120 and "\n" not in text for text in texts)


def test_crops_lie_inside_the_image() -> None:
    """One for each row, with the rounding of the files that `detect` writes."""
    crops = three().crops()

    np.testing.assert_array_equal(crops[0], IMAGE[5:25, 10:30])
    assert [crop.shape for crop in crops] == [(20, 20, 3), (15, 20, 3), (25, 50, 3)]


def test_plot_needs_no_second_argument() -> None:
    """RGB, or BGR on request; the image stays as it is."""
    before = IMAGE.copy()

    drawn = three().plot()

    assert (drawn != IMAGE).any()
    np.testing.assert_array_equal(three().plot(bgr=True), drawn[..., ::-1])
    np.testing.assert_array_equal(IMAGE, before)


def test_without_an_image_nothing_is_drawn() -> None:
    """The error says what to do instead."""
    found = three().without_image()

    with pytest.raises(ImageError, match="expected draw"):
        found.plot()
    assert found._repr_png_() is None
    assert "<img" not in found._repr_html_()


def test_save_writes_the_drawing_and_never_the_image_itself(tmp_path: Path) -> None:
    """To a file, or to a directory under the name of the image."""
    source = tmp_path / "b.png"
    source.write_bytes(b"the image")
    found = three(path=str(source))

    target = found.save(tmp_path / "drawn.png")

    np.testing.assert_array_equal(read_image(target), found.plot())
    with pytest.raises(ImageError, match="is the image itself"):
        found.save(tmp_path)
    assert source.read_bytes() == b"the image"
    (tmp_path / "folder").mkdir()
    assert found.save(tmp_path / "folder") == tmp_path / "folder/b.png"


def test_text_formats_say_the_same(tmp_path: Path) -> None:
    """`to_dict`, `to_json` and `to_csv`; files are written whole."""
    found = three()

    content = json.loads(found.to_json(tmp_path / "a.json"))
    rows = found.to_csv(tmp_path / "a.csv").splitlines()

    assert content == found.to_dict()
    assert content["detections"][0] == {
        "class_id": 1,
        "name": "dog, small",
        "score": pytest.approx(0.9),
        "box_xyxy": [10, 5, 30, 25],
    }
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == content
    assert rows[:2] == ["path,class,score,xmin,ymin,xmax,ymax", 'a/b.jpg,"dog, small",0.900000,10.00,5.00,30.00,25.00']
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines() == rows


def test_tracks_are_a_column_of_every_format() -> None:
    """And absent without tracking."""
    tracked = three(track_ids=np.array([7, 8, 9]))

    assert tracked.to_csv().splitlines()[0].endswith(",track_id")
    assert tracked.to_dict()["detections"][2]["track_id"] == 9
    assert "track_id" not in three().to_json()


@pytest.mark.parametrize("library", ["pandas", "polars", None])
def test_tables_have_a_row_for_each_detection(library: Any) -> None:
    """Of the library that is named, or of the one that is installed."""
    pytest.importorskip(library or "pandas", reason="needs the library of tables")

    table = three().to_dataframe(library)

    assert list(table.columns) == ["class_id", "name", "score", "xmin", "ymin", "xmax", "ymax"]
    assert list(table["xmax"]) == [30, 20, 90]
    assert type(table).__module__.startswith(library or "pandas")


def test_supervision_gets_its_own_object() -> None:
    """With class names where that library expects them."""
    supervision = pytest.importorskip("supervision", reason="needs supervision")

    made = three().to_supervision()

    assert isinstance(made, supervision.Detections)
    assert made.data["class_name"].tolist() == [NAMES[1], NAMES[0], NAMES[2]]
    np.testing.assert_array_equal(made.xyxy, three().boxes_xyxy)
    assert len(three()[:0].to_supervision()) == 0


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the extra that installs them."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "supervision":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"to_supervision\(\) needs supervision, which is not installed"):
        three().to_supervision()
    with pytest.raises(MissingExtraError, match=r"to_dataframe\(\) needs pandas, which is not installed"):
        three().to_dataframe()
    with pytest.raises(OptionError, match="library=excel: unknown; expected pandas or polars"):
        three().to_dataframe("excel")  # type: ignore[arg-type]


def test_notebooks_show_image_and_table_with_all_text_escaped() -> None:
    """A class name with tags appears as text."""
    page = three()._repr_html_()
    png = three()._repr_png_()

    assert "<img" in page
    assert "&lt;b&gt;猫" in page
    assert "<b>猫" not in page
    assert png is not None
    assert png.startswith(b"\x89PNG")


def test_notebooks_show_the_best_of_many() -> None:
    """A table of hundreds of rows would hide the image."""
    many = three()[np.zeros(100, int)]

    assert many._repr_html_().count("<tr>") <= 22
    assert "and 80 more" in many._repr_html_()


def test_results_of_a_detector_keep_their_image(detector: yolodsc.Detector, path: str, image: NDArray[np.uint8]) -> None:
    """Of a call and of `many`; `without_image` releases it."""
    (many,) = detector.many([path])

    for found in (detector(path), many.detections):
        assert found is not None
        assert found.image is not None
        np.testing.assert_array_equal(found.image, image)
        assert found.plot().shape == image.shape
        assert found.without_image().image is None
