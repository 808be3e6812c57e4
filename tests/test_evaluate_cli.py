"""``yolodsc evaluate`` as a user meets it: running, stopping, going on, comparing, refusing."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import GOLDEN
from tests.test_datasets import annotation, thing
from yolodsc.cli import inference as command
from yolodsc.cli import run
from yolodsc.images.image import read_image, write_image

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]
IDS = ("p1", "p2", "p3", "p4", "p5")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Five images of noise, with objects of the classes that the micro network calls 0 and 1."""
    root = tmp_path / "my VOC"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(3)
    for i, name in enumerate(IDS):
        write_image(root / f"JPEGImages/{name}.png", rng.integers(0, 256, (76, 100, 3), dtype=np.uint8))
        objects = [thing(f"{10 * k + 1} {10 * k + 1} {10 * k + 40} {10 * k + 40}", f"<name>{k % 2}</name>") for k in range(i + 1)]
        (root / f"Annotations/{name}.xml").write_text(annotation(*objects))
    (root / "ImageSets/Main/test.txt").write_text("\n".join(IDS))
    return root


def evaluated(tree: Path, out: Path, *arguments: object, status: int = 0) -> dict[str, Any]:
    """Run over the tree; the JSON."""
    told = run(["evaluate", "--voc", str(tree), *NETWORK, "--thresh", ".1", "--json", str(out), "--quiet", *map(str, arguments)])
    assert told == status
    return json.loads(out.read_text()) if told == 0 else {}


def timeless(content: dict[str, Any]) -> dict[str, Any]:
    """All but the milliseconds, which no two runs share."""
    return {key: value for key, value in content.items() if key != "speed_ms"}


def interrupted_after(count: int) -> Any:
    """A progress bar during which the user presses Ctrl-C."""

    def progress(items: Iterator[Any], **_: Any) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == count:
                raise KeyboardInterrupt
            yield item

    return progress


def test_a_run_tells_rules_counts_errors_and_milliseconds(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output; JSON has the same."""
    status = run(["evaluate", "--voc", str(tree), *NETWORK, "--thresh", ".1", "--json", str(tmp_path / "out.json")])

    out = capsys.readouterr().out
    content = json.loads((tmp_path / "out.json").read_text())
    assert status == 0
    assert out.splitlines()[4].split()[2:] == list(content["rules"])
    assert all(part in out for part in ("TP", "best F1", "AP_75", "errors (TIDE)", "ms an image: read ", "network ", "post "))
    assert set(content["speed_ms"]) == {"read", "network", "post"}
    assert sum(c["detections"] for c in content["rules"]["voc07"]["classes"].values()) > 10
    assert content["rules"]["voc07"]["classes"]["0"]["positives"] == 9


def test_an_interrupted_run_goes_on_to_the_same_result(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 130; what is done is readable: the journal, comp4 files, and as --detections."""
    keep = tmp_path / "kept"
    whole = evaluated(tree, tmp_path / "whole.json", "--save-detections", tmp_path / "other")
    with monkeypatch.context() as patched:
        patched.setattr(command, "progress", interrupted_after(2))
        evaluated(tree, tmp_path / "never.json", "--save-detections", keep, status=130)
    journal = (keep / "detections.jsonl").read_text().splitlines()
    files = sorted(path.name for path in keep.iterdir())
    with (keep / "detections.jsonl").open("a") as file:
        file.write('{"id": "p3", "class": [0, 1')  # as if the power had failed

    resumed = evaluated(tree, tmp_path / "resumed.json", "--save-detections", keep, "--resume")
    rescored = run(["evaluate", "--voc", str(tree), "--detections", str(keep), "--json", str(tmp_path / "re.json"), "--quiet"])

    assert [json.loads(line).get("id") for line in journal] == [None, "p1", "p2"]
    assert files[:2] == ["comp4_det_test_0.txt", "comp4_det_test_1.txt"]
    assert timeless(resumed) == timeless(whole)
    assert rescored == 0
    again = json.loads((tmp_path / "re.json").read_text())["rules"]
    for rule in ("voc07", "darknet", "coco"):
        for name, found in again[rule]["classes"].items():
            assert found == whole["rules"][rule]["classes"][name]
    for path in keep.glob("comp4*"):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--streams", "3"], ["--threads", "2"]])
def test_streams_and_threads_change_nothing(options: list[str], tree: Path, tmp_path: Path) -> None:
    """But the time."""
    one = evaluated(tree, tmp_path / "a.json")

    assert timeless(evaluated(tree, tmp_path / "b.json", *options)) == timeless(one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--thresh", ".2"], "thresh: 0.1, now 0.2"),
        (["--nms", ".3"], "nms: 0.45, now 0.3"),
        (["--letterbox"], 'geometry: "stretch", now "letterbox"'),
        (["--decoder", "fast"], 'decoder: "darknet", now "fast"'),
        (["--weights", f"{GOLDEN}/micro/yolo-diounms.weights", "--cfg", f"{GOLDEN}/micro/yolo-diounms.cfg"], "cfg: another file"),
    ],
)
def test_another_runs_journal_is_refused(
    change: list[str], said: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line that says what differs; nothing is changed."""
    evaluated(tree, tmp_path / "a.json", "--save-detections", tmp_path / "kept")
    before = (tmp_path / "kept/detections.jsonl").read_bytes()

    evaluated(tree, tmp_path / "b.json", "--save-detections", tmp_path / "kept", "--resume", *change, status=2)

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert (tmp_path / "kept/detections.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume"], "--resume continues the run that --save-detections DIR holds"),
        (["--detections", "x"], "--detections and a network name two things"),
        (["--gt", "x"], "named twice"),
        (["--voc", "nowhere"], "nowhere: no such file or folder"),
        (["--json", "."], "--json .: is a directory"),
        (["--voc", "."], "no folder 'Annotations' in it"),
        (["--rules", "voc7"], "is no rule; expected some of voc07"),
        (["--format", "pascal"], "format pascal: expected voc, yolo"),
        (["--set", "train"], "set train: no file"),
        (["--iou", "2"], "--iou"),
        (["--difficult", "nowhere.txt"], "nowhere.txt: cannot be read"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(
    options: list[str], said: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs."""
    evaluated(tree, tmp_path / "a.json", *options, status=2)

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_a_journal_is_not_overwritten(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --resume it is in the way; a broken one is named with its line."""
    keep = tmp_path / "kept"
    evaluated(tree, tmp_path / "a.json", "--save-detections", keep)

    evaluated(tree, tmp_path / "b.json", "--save-detections", keep, status=2)
    (keep / "detections.jsonl").write_text("nothing\n")
    evaluated(tree, tmp_path / "b.json", "--save-detections", keep, "--resume", status=2)

    said = capsys.readouterr().err.splitlines()
    assert "exists; expected --resume" in said[0]
    assert "detections.jsonl:1: no line of a run" in said[1]


def test_a_image_that_cannot_be_read_is_reported_and_the_rest_is_scored(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1; a resumed run tries it again. One that is not there stops the run at once."""
    good = (tree / "JPEGImages/p2.png").read_bytes()
    (tree / "JPEGImages/p2.png").write_bytes(b"no image")
    keep = ("--save-detections", tmp_path / "kept")
    evaluated(tree, tmp_path / "a.json", *keep, status=1)
    (tree / "JPEGImages/p2.png").write_bytes(good)

    resumed = evaluated(tree, tmp_path / "b.json", *keep, "--resume")
    whole = evaluated(tree, tmp_path / "c.json")
    (tree / "JPEGImages/p2.png").unlink()
    evaluated(tree, tmp_path / "d.json", status=2)

    assert timeless(resumed) == timeless(whole)
    said = capsys.readouterr().err
    assert "p2.png: cannot be read as an image" in said
    assert "no such image (1 of 5 are missing)" in said


@pytest.mark.slow
def test_csv_and_plots_are_written(tree: Path, tmp_path: Path) -> None:
    """A line a rule and class; curves by the first rule."""
    pytest.importorskip("matplotlib")
    content = evaluated(
        tree, tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--plots", tmp_path / "plots", "--rules", "darknet,voc07"
    )

    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curves = json.loads((tmp_path / "plots/curves.json").read_text())
    assert [row["rule"] for row in rows] == ["darknet"] * 5 + ["voc07"] * 5
    assert float(rows[0]["ap"]) == content["rules"]["darknet"]["classes"]["0"]["ap"]
    assert curves["rule"] == "darknet"
    assert set(curves["classes"]["0"]) == {"score", "precision", "recall", "f1"}
    images = {path.name: read_image(path).shape for path in (tmp_path / "plots").glob("*.png")}
    assert {"overview.png", "pr_0.png", "f1_0.png"} <= set(images)
    assert min(shape[0] for shape in images.values()) > 100


def test_two_evaluations_are_compared(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a class and the mean; a file that is no evaluation is one error."""
    evaluated(tree, tmp_path / "a.json", "--rules", "voc10")
    evaluated(tree, tmp_path / "b.json", "--rules", "voc10", "--nms", ".2")

    assert run(["evaluate", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert run(["evaluate", "--compare", str(tmp_path / "a.json"), str(tree)]) == 2

    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].startswith("voc10: mean AP ")
    assert [line.split()[0] for line in lines[2:9]] == ["AP", "0", "1", "2", "3", "4", "mean"]
    assert lines[2].startswith("AP %, voc10")
    assert captured.err.count("\n") == 1


def test_darknets_difficult_list_is_an_option(tmp_path: Path) -> None:
    """Dropped, listed by the ground truth, or listed by a file as in ``.data``."""
    for folder, labels in (
        ("easy", "0 .7 .7 .2 .2\n"),
        ("hard", "0 .2 .2 .2 .2\n"),
        ("found", "0 .2 .2 .2 .2 .9\n0 .7 .7 .2 .2 .8\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(labels)
    (tmp_path / "easy.list").write_text("easy/a.jpg\n")
    (tmp_path / "hard.list").write_text("hard/a.jpg\n")
    base = ["evaluate", "--gt", str(tmp_path / "easy.list"), "--format", "yolo", "--detections", str(tmp_path / "found"), "--quiet"]
    out = tmp_path / "a.json"

    aps = []
    for difficult in ("drop", str(tmp_path / "hard.list")):
        assert run([*base, "--difficult", difficult, "--json", str(out)]) == 0
        aps.append(json.loads(out.read_text())["rules"]["darknet"]["mean_ap"])

    assert aps == [0.5, 1.0]


def test_a_network_of_other_classes_is_told(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No class in common, which is an error; where some are, the others."""
    names = tmp_path / "x.names"
    names.write_text("a\nb\nc\nd\ne\n")
    evaluated(tree, tmp_path / "a.json", "--names", names, status=2)
    names.write_text("a\n0\nc\nd\ne\n")
    evaluated(tree, tmp_path / "a.json", "--names", names)

    said = capsys.readouterr().err.splitlines()
    assert "no object of the dataset (0, 1) is of a class of the network (a, b, c …)" in said[0]
    assert said[1] == "yolodsc: the network does not know 1: never found"


@pytest.mark.slow
def test_class_names_may_be_anything(tree: Path, tmp_path: Path) -> None:
    """Blanks, slashes, formulas, other scripts: in tables, files of detections, curves."""
    pytest.importorskip("matplotlib")
    names = ["tea pot", "and/or", "$x_{", "猫", "e"]
    (tmp_path / "x.names").write_text("\n".join(names), encoding="utf-8")
    for path in (tree / "Annotations").iterdir():
        path.write_text(path.read_text().replace("<name>0", "<name>tea pot").replace("<name>1", "<name>and/or"))
    keep, plots = tmp_path / "kept", tmp_path / "plots"

    content = evaluated(tree, tmp_path / "a.json", "--names", tmp_path / "x.names", "--save-detections", keep, "--plots", plots)
    (keep / "detections.jsonl").unlink()
    again = ["evaluate", "--voc", str(tree), "--names", str(tmp_path / "x.names"), "--detections", str(keep), "--quiet"]
    status = run([*again, "--json", str(tmp_path / "b.json")])

    assert status == 0
    counts = [
        [c["detections"] for c in json.loads((tmp_path / f"{f}.json").read_text())["rules"]["voc07"]["classes"].values()]
        for f in "ab"
    ]
    assert counts[0] == counts[1]
    assert list(content["rules"]["voc07"]["classes"]) == names
    assert (plots / "pr_and_or.png").is_file()


@pytest.mark.slow
def test_a_network_is_evaluated_without_numba_and_pillow(shared: Path, tmp_path: Path) -> None:
    """Annotations, sizes, JPEG files and scoring need neither, nor SciPy, once the kernels are in the cache."""
    voc, model = shared / "data/voc/VOCdevkit/VOC2007", shared / "data/models/mobilenetv2-yolo-fastest-voc-v1"
    chosen = tmp_path / "some.txt"
    chosen.write_text("\n".join((voc / "ImageSets/Main/test.txt").read_text().splitlines()[:3]))
    program = (
        "import sys\nfrom yolodsc import cli\n"
        f"status = cli.run(['evaluate', '--model', {str(model)!r}, '--voc', {str(voc)!r}, '--set', {str(chosen)!r}, '--quiet'])\n"
        "print(status, [name for name in ('pydantic', 'rich', 'numba', 'scipy', 'cv2', 'PIL') if name in sys.modules])"
    )
    for _ in range(2):  # the first process may have to compile kernels, with Numba
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "0 []\n", done.stderr
