"""Outputs contain JSON without NaN, CSV without formulas, and finite boxes, for any network and any names."""

import csv
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_evaluate_cli import IDS, evaluated, tree
from tests.training.scenes import student, write_images
from yolodsc.cli import run
from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.cells import DANGEROUS, text_cell
from yolodsc.detection.outputs.csv_file import CsvWriter
from yolodsc.network.boxes import Candidates, drop_nonfinite

__all__ = ["tree"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", '=HYPERLINK("http://x","y")']


def exploding(folder: Path, *, width: float, names: str = "=cmd|' /C calc'!A0\n-2+3\n") -> list[str]:
    """Return a pair whose first anchor gives boxes of exp(width) times the anchor, and whose second gives boxes of anchor size."""
    network = student()
    weights = [dict(own) for own in network.weights]
    raw = network.heads[0].sources[0]
    weights[raw] = {name: np.zeros_like(array) for name, array in weights[raw].items()}
    weights[raw]["biases"][[2, 4, 5, 6, 11, 12, 13]] = width, 6, 6, -6, 5, 5, -6
    network.with_weights(weights).save(folder / "x.cfg", folder / "x.weights")
    (folder / "x.names").write_text(names)
    return ["--cfg", str(folder / "x.cfg"), "--weights", str(folder / "x.weights"), "--names", str(folder / "x.names")]


def numbers_in(value: Any) -> list[float]:
    """Return all numbers of a JSON document."""
    if isinstance(value, dict | list):
        return [n for entry in (value.values() if isinstance(value, dict) else value) for n in numbers_in(entry)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.parametrize("width", [88.0, 100.0])
def test_boxes_of_infinite_size_are_dropped_and_the_rest_is_written(width: float, tmp_path: Path) -> None:
    """All outputs are tested; in single precision exp(88) is finite but not in pixels, and exp(100) is infinite."""
    (path, _) = write_images(tmp_path, 2)
    network, out = exploding(tmp_path, width=width), tmp_path / "out"
    files = ["--json", str(out / "r.json"), "--csv", str(out / "r.csv"), "--txt", str(out / "txt")]

    assert run(["detect", path, *network, *files, "--save", str(out), "--crops", str(out / "crops"), "--nms", "1", "--quiet"]) == 0

    content = json.loads((out / "r.json").read_text(), parse_constant=pytest.fail)
    assert len(content[0]["objects"]) == 64  # of the second anchor, one a cell
    assert np.isfinite(numbers_in(content)).all()
    with (out / "r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    assert len(rows) == 64
    assert np.isfinite([float(cell) for row in rows for cell in row[2:]]).all()
    assert {row[1] for row in rows} == {"'=cmd|' /C calc'!A0"}
    labels = (out / "txt/0.txt").read_text()
    assert labels.count("\n") == 64
    assert "inf" not in labels
    assert "nan" not in labels


def test_boxes_of_infinite_size_are_dropped_in_evaluations(tree: Path, tmp_path: Path) -> None:
    """The journal, comp4 files and JSON contain finite numbers only, and a resumed run reads them."""
    keep, out = tmp_path / "kept", tmp_path / "a.json"
    command = ["evaluate", "--voc", str(tree), *exploding(tmp_path, width=100.0, names="0\n1\n"), "--save-detections", str(keep)]

    assert run([*command, "--json", str(out), "--quiet"]) == 0
    assert run([*command, "--json", str(tmp_path / "b.json"), "--quiet", "--resume"]) == 0

    first, second = (json.loads(path.read_text(), parse_constant=pytest.fail) for path in (out, tmp_path / "b.json"))
    assert first["rules"] == second["rules"]
    assert all("inf" not in path.read_text() and "nan" not in path.read_text() for path in keep.glob("comp4*"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["boxes_xywh", "objectness", "probabilities"])
def test_candidates_with_a_number_that_is_not_finite_are_dropped(column: str, value: float) -> None:
    """Any of the numbers may be the reason; the other candidates stay, in order."""
    columns = {
        "boxes_xywh": np.float32([[0.5, 0.5, 0.1, 0.1], [0.2, 0.2, 0.1, 0.1], [0.7, 0.7, 0.1, 0.1]]),
        "objectness": np.float32([0.9, 0.8, 0.7]),
        "probabilities": np.float32([[0.9, 0], [0, 0.8], [0.7, 0.1]]),
    }
    kept = {name: array[[0, 2]].copy() for name, array in columns.items()}
    columns[column][1:2] = value

    left = drop_nonfinite(Candidates(**columns), width=10, height=10)

    assert all(np.array_equal(getattr(left, name), array) for name, array in kept.items())
    assert drop_nonfinite(left, width=10, height=10) is left


@pytest.mark.parametrize("name", FORMULAS)
def test_cells_that_begin_like_formulas_are_text(name: str, tmp_path: Path) -> None:
    """Class and path become text; numbers stay numbers, negative ones too."""
    candidates = Candidates(np.float32([[0, 0, 0.2, 0.4]]), np.float32([0.9]), np.float32([[0.3]]))
    writer = CsvWriter(tmp_path / "a.csv")
    found = Detections.from_candidates(candidates, names=(name,), width=100, height=50, path=f"{name}.jpg")
    writer.add(found, np.zeros((50, 100, 3), np.uint8))
    writer.close()

    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        _, row = list(csv.reader(file))

    assert row[:2] == [f"'{name}.jpg", f"'{name}"]
    assert row[3:] == ["-10.00", "-10.00", "10.00", "10.00"]
    assert not text_cell(name).startswith(DANGEROUS)
    assert text_cell("tea pot") == "tea pot"


def test_class_names_like_formulas_are_text_in_the_table_of_rules(tree: Path, tmp_path: Path) -> None:
    """The test reads the CSV of evaluate."""
    (tmp_path / "x.names").write_text("=a\n-b\n@c\n+d\ne\n")
    for path in (tree / "Annotations").iterdir():
        path.write_text(path.read_text().replace("<name>0", "<name>=a"))

    evaluated(tree, tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--rules", "voc07", "--names", tmp_path / "x.names")

    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        names = [row["class"] for row in csv.DictReader(file)]
    assert names[:5] == ["'=a", "'-b", "'@c", "'+d", "e"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _giant(path: Path) -> None:
    """Return a header of 50,000 x 50,000 pixels with a valid checksum and no data."""
    body = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + path.read_bytes()[33:]
    )


def _damaged_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8:12] = b"\0\0\0\1"
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_cut, _giant, _damaged_header, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("form", ["voc", "yolo"])
def test_one_damaged_image_is_reported_and_the_rest_is_scored(
    damage: Any, form: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1 as for detect, for any fault of the header and any source of sizes."""
    damage(tree / "JPEGImages/p2.png")
    where = ["--voc", str(tree)]
    if form == "yolo":
        (tmp_path / "labels").mkdir()
        for name in IDS:
            (tmp_path / f"labels/{name}.txt").write_text("0 .3 .3 .4 .4\n")
        where = ["--gt", str(tmp_path / "labels"), "--format", "yolo", "--images", str(tree / "JPEGImages")]
    network = exploding(tmp_path, width=1.0, names="0\n1\n")
    out = tmp_path / "a.json"

    status = run(["evaluate", *where, *network, "--json", str(out), "--quiet"])

    content = json.loads(out.read_text())
    assert status == 1
    assert sum("p2.png: " in note for note in content["notes"]) >= 1
    assert "p2.png: " in capsys.readouterr().err
    assert content["pictures"] == list(IDS)
    assert {i for found in content["matches"]["classes"].values() for i in found["picture"]} == {0, 2, 3, 4}
