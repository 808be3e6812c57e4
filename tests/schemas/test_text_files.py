"""Text, XML and lists with every kind of fault, through ``yolodsc evaluate``."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.schemas.complaints import complaint
from tests.test_datasets import annotation, thing
from yolodsc.cli import run

HUGE = "1" * 6000


def evaluated(
    tmp_path: Path, form: str, *, ground_truth: str = "0 .5 .5 .2 .2\n", found: str = "0 .5 .5 .2 .2 .9\n", names: str = ""
) -> Any:
    """Score one text file against another; return the JSON."""
    for folder, text in (("truth", ground_truth), ("found", found)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.txt").write_text(text)
    listed = []
    if names:
        (tmp_path / "x.names").write_text(names)
        listed = ["--names", str(tmp_path / "x.names")]
    out = tmp_path / "out.json"
    files = ["--gt", str(tmp_path / "truth"), "--detections", str(tmp_path / "found"), "--format", form, *listed]
    assert run(["evaluate", *files, "--json", str(out), "--quiet"]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize("form", ["yolo", "cartucho", "rafael"])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "nan", "inf", HUGE, "1e40", "x"])
def test_numbers_that_are_none_are_reported_and_skipped(form: str, number: str, tmp_path: Path) -> None:
    """Labels and detections are tested; numbers beyond single precision are invalid."""
    lines = {"yolo": "0 .5 .5 .2 {}\n", "cartucho": "dog 1 1 5 {}\n", "rafael": "dog 1 1 5 {}\n"}
    found = {"yolo": "0 .5 .5 .2 .2 {}\n", "cartucho": "dog {} 1 1 5 5\n", "rafael": "dog {} 1 1 5 5\n"}
    good = lines[form].format(".2" if form == "yolo" else "5")

    content = evaluated(tmp_path, form, ground_truth=good + lines[form].format(number), found=found[form].format(number))

    notes = "\n".join(content["notes"])
    assert notes.count("is no class and") == 2
    (own,) = content["rules"]["coco"]["classes"].values()
    assert (own["positives"], own["detections"]) == (1, 0)


@pytest.mark.parametrize("number", ["2", "1000000000", HUGE, "-1"])
def test_class_numbers_beyond_the_names_are_reported_and_skipped(number: str, tmp_path: Path) -> None:
    """No class is created for them."""
    lines = f"0 .5 .5 .2 .2\n{number} .5 .5 .2 .2\n"
    rows = f"0 .5 .5 .2 .2 .9\n{number} .5 .5 .2 .2 .9\n"

    content = evaluated(tmp_path, "yolo", ground_truth=lines, found=rows, names="dog\ncat\n")

    assert list(content["rules"]["coco"]["classes"]) == ["dog", "cat"]
    assert f"a.txt: class {number[:40]}; expected 0 to 1; skipped" in content["notes"]
    assert any("classes that the dataset does not have" in note for note in content["notes"])


@pytest.mark.parametrize("number", ["1000000000", HUGE])
def test_class_numbers_without_names_are_names(number: str, tmp_path: Path) -> None:
    """Each number is one class."""
    content = evaluated(tmp_path, "yolo", ground_truth=f"{number} .5 .5 .2 .2\n", found=f"{number} .5 .5 .2 .2 .9\n")

    assert list(content["rules"]["coco"]["classes"]) == [number]
    assert content["rules"]["coco"]["mean_ap"] == pytest.approx(1)


@pytest.mark.parametrize("number", ["1e999", "nan", HUGE])
def test_comp4_numbers_that_are_none_are_reported_and_left_out(number: str, tmp_path: Path) -> None:
    """Scores and boxes are tested."""
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/a.xml").write_text(annotation(thing()))
    (tmp_path / "found").mkdir()
    (tmp_path / "found/comp4_det_test_cat.txt").write_text(f"a {number} 11 21 50 60\na .5 11 {number} 50 60\na .5 11 21 50 60\n")
    (tmp_path / "found/comp4_det_test_dog.txt").mkdir()
    out = tmp_path / "out.json"

    files = ["--gt", str(tmp_path / "truth"), "--detections", str(tmp_path / "found")]
    assert run(["evaluate", *files, "--json", str(out), "--quiet"]) == 0

    content = json.loads(out.read_text())
    assert content["rules"]["coco"]["classes"]["cat"]["detections"] == 1
    assert any("2 detections with scores or boxes that are no numbers" in note for note in content["notes"])


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0" encoding="klingon"?><annotation/>',
        '<?xml version="1.0" encoding="utf-7"?><annotation/>',
        '<?xml version="1.0" encoding="utf-32"?><annotation/>',
        '<?xml version="1.0" encoding="shift_jis"?><annotation/>',
        "\0",
        "",
    ],
)
def test_xml_that_cannot_be_decoded_is_reported_and_left_out(text: str, tmp_path: Path) -> None:
    """Encodings may be unknown or unsupported; if no other file is left, there is one line and status 2."""
    (tmp_path / "a.xml").write_text(annotation(thing()))
    (tmp_path / "b.xml").write_text(text)
    (tmp_path / "found.json").write_text("[]")
    out = tmp_path / "out.json"

    assert (
        run(["evaluate", "--gt", str(tmp_path), "--detections", str(tmp_path / "found.json"), "--json", str(out), "--quiet"]) == 0
    )

    content = json.loads(out.read_text())
    assert content["pictures"] == ["a"]
    assert "b.xml: cannot be parsed as safe XML" in content["notes"][0]


def test_xml_that_nests_without_end_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files contain a hundred thousand nested elements, and very long numbers."""
    deep = "<a>" * 100_000 + "</a>" * 100_000
    (tmp_path / "a.xml").write_text(annotation(thing(), deep, thing(f"1 1 {HUGE} 1e999")))
    (tmp_path / "found.json").write_text("[]")

    assert run(["evaluate", "--gt", str(tmp_path), "--detections", str(tmp_path / "found.json"), "--quiet"]) == 0
    assert "cat lacks a field of its box" in capsys.readouterr().err


def _folders(tmp_path: Path) -> dict[str, Path]:
    """Create directories in place of files."""
    for name in ("x.txt", "list.txt", "truth", "found", "y.json"):
        (tmp_path / name).mkdir()
    (tmp_path / "found/a.txt").mkdir()
    (tmp_path / "truth/a.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "good.list").write_text(str(tmp_path / "truth/a.jpg"))
    (tmp_path / "nul.list").write_text("a\0b.jpg\n")
    return {name: tmp_path / name for name in ("x.txt", "list.txt", "truth", "found", "y.json", "good.list", "nul.list")}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gt", "x.txt", "--format", "yolo", "--detections", "found"], "no label files"),
        (["--gt", "nul.list", "--format", "yolo", "--detections", "found"], "has NUL bytes"),
        (["--gt", "truth", "--format", "yolo", "--detections", "found"], "no label files"),
        (["--gt", "truth", "--format", "yolo", "--detections", "found", "--names", "x.txt"], "Is a directory"),
        (["--gt", "good.list", "--format", "yolo", "--difficult", "x.txt", "--detections", "found"], "Is a directory"),
        (["--gt", "y.json", "--format", "coco", "--detections", "found"], "Is a directory"),
        (["--compare", "y.json", "y.json"], "Is a directory"),
    ],
)
def test_a_directory_where_a_file_is_expected_is_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The extension of its name does not matter."""
    places = _folders(tmp_path)

    assert said in complaint(["evaluate", *(places.get(option, option) for option in options)], capsys)
