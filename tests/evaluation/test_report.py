"""Reports in a real browser: what they show, how they filter, and that nothing in them is run."""

import json
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.browser import browser, choose, open_page, texts
from tests.evaluation.test_verdict import BOX, CAT, COW, DOG
from yolodsc.cli import run
from yolodsc.detection import Detections
from yolodsc.evaluation.audit.ranking import audit_labels
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.formats import Format, read_dataset
from yolodsc.evaluation.errors.breakdown import detection_kinds
from yolodsc.evaluation.evaluation import Evaluation, evaluate
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth
from yolodsc.evaluation.report.contents import audit_page, comparison_content, comparison_page, evaluation_page
from yolodsc.evaluation.report.page import page_html, write_page
from yolodsc.evaluation.report.thumbnails import thumbnail_of_file
from yolodsc.evaluation.report.writer import ReportWriter
from yolodsc.images.image import write_image

__all__ = ["browser"]
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\u2028&amp;\"'`"
RED = np.array([200, 30, 30], np.uint8)


def scene(folder: Path, names: tuple[str, ...] = ("cat", "dog", "cow")) -> tuple[Dataset, DetectionTable]:
    """Three images: a right cat and a duplicate; a dog taken for a cat; a missed cow and a false alarm."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = ("one", "two", f"three {HOSTILE.replace('/', '')}")
    paths = tuple(folder / f"{i}.png" for i in range(3))
    for path in paths:
        write_image(path, np.tile(RED, (100, 200, 1)))
    truth = GroundTruth.of(np.arange(3), np.array([CAT, DOG, COW]), np.tile(BOX, (3, 1)))
    rows = [(0, CAT, 0, 0.9), (0, CAT, 3, 0.6), (1, CAT, 0, 0.8), (2, DOG, 100, 0.7), (2, COW, 0, 0.1)]
    found = DetectionTable(
        np.array([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array([r[3] for r in rows]),
        np.stack([BOX + np.array([r[2], 0, r[2], 0]) for r in rows]),
    )
    return Dataset(names, ids, truth, np.tile([200.0, 100.0], (3, 1)), paths), found


def evaluated(folder: Path, **options: Any) -> Evaluation:
    """The scene by all rules."""
    dataset, found = scene(folder, **options)
    return evaluate(dataset, found, RULES.values(), notes=[f"note {HOSTILE}"])


def test_kinds_of_detections_come_in_the_order_given(tmp_path: Path) -> None:
    """With the score at which each object is found."""
    dataset, found = scene(tmp_path)

    kinds = detection_kinds(dataset.ground_truth, found, classes=3)

    assert kinds.kinds.tolist() == [1, 5, 2, 6, 1]  # right, duplicate, classification, background, right
    assert kinds.found.tolist() == [0.9, -1.0, 0.1]
    backwards = np.arange(5)[::-1]
    assert detection_kinds(dataset.ground_truth, found[backwards], classes=3).kinds.tolist() == [1, 6, 2, 5, 1]


def test_a_page_is_one_file_without_addresses(tmp_path: Path) -> None:
    """No reference to another file or host, and a policy that would refuse one."""
    html = page_html(evaluation_page(evaluated(tmp_path)))

    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert 'src="' not in html
    assert "default-src 'none'" in html
    assert html.count("</script>") == 2
    assert html.count("data:image/jpeg;base64,") == 3


@pytest.mark.slow
def test_an_evaluation_in_the_browser(browser: Any, tmp_path: Path) -> None:
    """Verdict, tables, curves, matrix, images with boxes; text that looks like markup stays text."""
    names = ("cat", f"dog {HOSTILE}", "cow")
    write_page(tmp_path / "page", evaluation_page(evaluated(tmp_path / "images", names=names)))

    open_page(browser, tmp_path / "page")

    assert browser.execute_script("return window.hacked") is None
    assert len(texts(browser, "script")) == 2
    assert texts(browser, "nav a") == ["Verdict", "Classes", "Curves", "Errors", "Images", "Notes"]
    assert texts(browser, "#verdict .figure b") == ["66.67 %", "25.0 %", "33.3 %", "28.6 %", "1", "3", "2"]
    assert texts(browser, "#classes tbody tr td:first-child") == list(names)
    assert f"note {HOSTILE}" in texts(browser, "#notes li")
    assert len(texts(browser, "#gallery .card")) == 3
    assert browser.execute_script("return document.querySelectorAll('#gallery image').length") == 3
    assert any("three" in text and "onerror" in text for text in texts(browser, "#gallery .card b"))


def test_the_gallery_filters_by_class_score_kind_and_name(browser: Any, tmp_path: Path) -> None:
    """As a user sets the fields; a missed object is one that nothing above the score finds."""
    write_page(tmp_path / "page", evaluation_page(evaluated(tmp_path / "images")))
    open_page(browser, tmp_path / "page")

    def shown() -> set[str]:
        return {text.split()[0] for text in texts(browser, "#gallery .card b")}

    seen = {}
    for kind in ("duplicate", "classification", "background", "missed", "errors", "right", "localisation", ""):
        choose(browser, "filter-kind", kind)
        seen[kind] = shown()
    choose(browser, "filter-class", str(DOG))
    of_dogs = shown()
    choose(browser, "filter-class", "")
    choose(browser, "filter-kind", "missed")
    choose(browser, "filter-score", "0.05", "input")
    found_at_low_score = shown()
    choose(browser, "filter-kind", "")
    choose(browser, "filter-name", "TWO", "input")

    assert seen == {
        "duplicate": {"one"},
        "classification": {"two"},
        "background": {"three"},
        "missed": {"two", "three"},
        "errors": {"one", "two", "three"},
        "right": {"one"},
        "localisation": set(),
        "": {"one", "two", "three"},
    }
    assert of_dogs == {"two", "three"}
    assert found_at_low_score == {"two"}
    assert shown() == {"two"}
    assert texts(browser, "#gallery .count") == ["1 of 3 images"]


def test_a_click_enlarges_an_image_and_a_click_on_the_matrix_filters(browser: Any, tmp_path: Path) -> None:
    """With the list of its boxes; the matrix shows the images of one confusion."""
    write_page(tmp_path / "page", evaluation_page(evaluated(tmp_path / "images")))
    open_page(browser, tmp_path / "page")

    browser.execute_script("document.querySelector('#gallery .card').click()")
    listed, is_open = texts(browser, "#viewer li"), browser.execute_script("return document.getElementById('viewer').open")
    browser.execute_script("document.querySelector('#viewer .close').click()")
    cells = "[...document.querySelectorAll('.matrix tbody tr')][1].querySelectorAll('td')[0]"
    browser.execute_script(f"{cells}.dispatchEvent(new MouseEvent('click'))")

    assert is_open
    assert any(", missed" in text for text in listed)
    assert not browser.execute_script("return document.getElementById('viewer').open")
    assert texts(browser, "#gallery .card b") == ["two"]


def test_tables_sort_by_a_click_on_their_heading(browser: Any, tmp_path: Path) -> None:
    """Once for the largest first, again for the smallest."""
    write_page(tmp_path / "page", evaluation_page(evaluated(tmp_path / "images")))
    open_page(browser, tmp_path / "page")

    orders = []
    for _ in range(2):
        browser.execute_script("document.querySelectorAll('#classes th button')[1].click()")
        orders.append(texts(browser, "#classes tbody tr td:first-child"))

    assert orders[0][-1] == orders[1][0] == "dog"


def test_two_runs_are_compared_on_a_page(browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page of its own, or a section of the later run's."""
    dataset, found = scene(tmp_path / "images")
    content = evaluate(dataset, found, [RULES["voc07"]]).to_json()
    better = evaluate(dataset, found[found.score != 0.6], [RULES["voc07"]]).to_json()
    for name, value in (("a", content), ("b", better)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))

    assert (
        run(["evaluate", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--report", str(tmp_path / "page")]) == 0
    )
    open_page(browser, tmp_path / "page")

    assert f"wrote {tmp_path / 'page/index.html'}" in capsys.readouterr().err
    assert texts(browser, "h1") == ["Comparisonb against a"]
    assert texts(browser, "#comparison tbody tr td:first-child") == ["mean", "cat", "dog", "cow"]
    section = comparison_content({}, rule="voc07", images=3, a="a", b="b")
    assert comparison_page(section)["kind"] == "comparison"
    write_page(tmp_path / "both", evaluation_page(evaluated(tmp_path / "images"), comparison=section))
    open_page(browser, tmp_path / "both")
    assert "Comparison" in texts(browser, "nav a")


def test_detections_without_ground_truth_on_a_page(browser: Any, tmp_path: Path) -> None:
    """Classes and scores filter; there are no kinds of error."""
    writer = ReportWriter(tmp_path / "page")
    for i, (class_id, score) in enumerate(((0, 0.9), (1, 0.4))):
        boxes = np.array([[-10, 10, 50, 60]], np.float32)
        scores = np.array([score], np.float32)
        found = Detections(boxes, scores, scores, np.array([class_id]), ("cat", HOSTILE), 100, 80, f"{i}.png")
        writer.add(found, np.tile(RED, (80, 100, 1)))
    writer.close()
    open_page(browser, tmp_path / "page")

    before = texts(browser, "#gallery .card b")
    choose(browser, "filter-class", "1")

    assert browser.execute_script("return window.hacked") is None
    assert before == ["0.png", "1.png"]
    assert texts(browser, "#gallery .card b") == ["1.png"]
    assert texts(browser, "#gallery .card .caption span") == [f"1 {HOSTILE}"]
    assert texts(browser, "#filter-kind") == []


def test_an_audit_on_a_page(browser: Any, tmp_path: Path) -> None:
    """A card for each suspect, most suspicious first, filtered by fault."""
    dataset, found = scene(tmp_path / "images")
    write_page(tmp_path / "page", audit_page(audit_labels(dataset, found)))
    open_page(browser, tmp_path / "page")

    everything = texts(browser, "#suspects .card b")
    choose(browser, "filter-kind", "mislabelled")

    assert len(everything) == 5
    assert everything[-1].startswith("missing5. one")  # the second detection of the cat, which is no missing label
    assert all("dog looks like cat" in text for text in texts(browser, "#suspects .card .caption > span"))
    assert len(texts(browser, "#suspects .card")) == 1


def test_the_command_writes_a_page_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Evaluate --report; a baseline without a page, or one that cannot be read, is refused before anything runs."""
    scene(tmp_path / "images")
    (tmp_path / "labels").mkdir()
    (tmp_path / "found").mkdir()
    for i in range(3):
        x, y = 30 / 200, 30 / 100
        (tmp_path / f"labels/{i}.txt").write_text(f"{i} {x} {y} .2 .4\n")
        (tmp_path / f"found/{i}.txt").write_text(f"{i} {x} {y} .2 .4 .9\n")
    command = ["evaluate", "--data", str(tmp_path), "--detections", str(tmp_path / "found"), "--format", "yolo"]

    assert run([*command, "--json", str(tmp_path / "a.json"), "--report", str(tmp_path / "page")]) == 0
    assert (
        run([*command, "--baseline", str(tmp_path / "a.json"), "--report", str(tmp_path / "second"), "--report-images", "1"]) == 0
    )
    assert run([*command, "--baseline", str(tmp_path / "a.json")]) == 2
    assert run([*command, "--baseline", str(tmp_path / "none.json"), "--report", str(tmp_path / "third")]) == 2
    other_rule = ["--baseline", str(tmp_path / "a.json"), "--rule", "coco", "--report", str(tmp_path / "third")]
    assert run([*command, *other_rule]) == 2

    assert (tmp_path / "page/index.html").read_text().count("data:image/jpeg") == 3
    assert (tmp_path / "second/index.html").read_text().count("data:image/jpeg") == 1
    assert not (tmp_path / "third/index.html").exists()
    said = capsys.readouterr().err.splitlines()
    assert f"yolodsc: wrote {tmp_path / 'page/index.html'}" in said
    assert "--baseline F is compared on the page of --report DIR" in said[-3]
    assert "holds the matches of voc07; expected --rule voc07" in said[-1]


def _turned(folder: Path) -> Path:
    """A tree of labels whose image is stored 40 high and 20 wide, red above, and is shown 40 wide: orientation 6."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    pixels = np.zeros((40, 20, 3), np.uint8)
    pixels[:20] = RED
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(folder / "images/a.png", exif=exif)
    (folder / "labels/a.txt").write_text("0 .75 .5 .5 1\n")
    return folder


@pytest.mark.parametrize(("exif", "size", "box"), [(True, (40, 20), (20, 0, 40, 20)), (False, (20, 40), (10, 0, 20, 40))])
def test_images_and_sizes_follow_exif(exif: bool, size: tuple[int, int], box: tuple[float, ...], tmp_path: Path) -> None:
    """The page shows what the network sees, and labels are relative to it."""
    folder = _turned(tmp_path / "data")
    report = InputReport(exif=exif)

    dataset = read_dataset(folder, Format(name="yolo", corners="auto", names=("cat",), images=None), report, chosen=None)
    source = thumbnail_of_file(folder / "images/a.png", exif=exif)

    assert dataset.sizes[0].tolist() == list(size)
    assert dataset.ground_truth.boxes_xyxy[0].tolist() == pytest.approx(box)
    with Image.open(BytesIO(b64decode(str(source).partition(",")[2]))) as shown:
        assert shown.size == size
        corner = shown.convert("RGB").getpixel((size[0] - 2, 2))
    assert corner == pytest.approx(tuple(RED), abs=30)


def test_the_option_reaches_the_page(tmp_path: Path) -> None:
    """Of evaluate and audit."""
    folder = _turned(tmp_path / "data")
    (folder / "classes.txt").write_text("cat\n")
    found = tmp_path / "found"
    found.mkdir()
    (found / "a.txt").write_text("0 .75 .5 .5 1 .9\n")

    for command in ("evaluate", "audit"):
        options = ["--data", str(folder), "--detections", str(found), "--format", "yolo", "--exif", "--quiet"]
        assert run([command, *options, "--report", str(tmp_path / command)]) == 0
        page = (tmp_path / command / "index.html").read_text()
        assert '"width": 40.0, "height": 20.0' in page or '"width":40.0,"height":20.0' in page
