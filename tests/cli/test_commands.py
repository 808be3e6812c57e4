"""The command line as a user runs it."""

import io
import json
import os
import threading
from pathlib import Path

import pytest

from tests.cli.support import NETWORK, STEM, remarks
from yolodsc import cli


def test_detect_prints_a_line_a_image_then_its_boxes(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And exits with 0."""
    status = cli.run(["detect", str(images / "a.png"), *NETWORK, "--thresh", ".05"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith(f"{images / 'a.png'}: 100x76, {len(lines) - 2} objects, ")
    assert lines[1].split() == ["class", "score", "left", "top", "right", "bottom"]


@pytest.mark.slow
def test_detect_writes_every_format(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of one run agree."""
    out = tmp_path / "out"
    options = ["--save", str(out), "--json", str(out / "r.json"), "--csv", str(out / "r.csv"), "--txt", str(out / "txt")]

    status = cli.run(["detect", str(images), *NETWORK, "--quiet", "--thresh", ".05", "--crops", str(out / "crops"), *options])

    frames = json.loads((out / "r.json").read_text())
    count = sum(len(frame["objects"]) for frame in frames)
    assert status == 0
    assert capsys.readouterr().out == ""
    assert [Path(frame["filename"]).name for frame in frames] == ["a.png", "b.jpg", "c.png"]
    assert count > 3
    assert len((out / "r.csv").read_text().splitlines()) == count + 1
    assert sum(len(path.read_text().splitlines()) for path in (out / "txt").iterdir()) == count
    assert {path.name for path in out.glob("*.[pj]*g")} == {"a.png", "b.jpg", "c.png"}


def test_a_image_that_cannot_be_read_is_reported_and_the_rest_goes_on(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1 at the end."""
    (images / "b.jpg").write_bytes(b"broken")

    status = cli.run(["detect", str(images), *NETWORK])

    captured = capsys.readouterr()
    assert status == 1
    assert remarks(captured.err).count("\n") == 1
    assert "b.jpg: cannot be read as an image" in captured.err
    assert "yolodsc: 3 images (1 failed), " in captured.err
    assert captured.out.count("100x76") == 2


def test_lists_globs_and_standard_input_name_images(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in its order."""
    listed = tmp_path / "list.txt"
    listed.write_text(f"{images / 'c.png'}\n\n{images / 'a.png'}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{images / 'b.jpg'}\n"))

    cli.run(["detect", str(listed), str(images / "*.jpg"), "-", *NETWORK, "--thresh", "1"])

    names = [Path(line.split(":")[0]).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["c.png", "a.png", "b.jpg", "b.jpg"]


def test_classes_may_be_names_or_numbers(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others are left out."""
    names = tmp_path / "five.names"
    names.write_text("cat\ndog\ncow\nbus\ncar\n")

    cli.run(["detect", str(images / "a.png"), *NETWORK, "--names", str(names), "--classes", "dog,4", "--thresh", ".05"])

    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]]
    assert set(rows) <= {"dog", "car"}
    assert rows


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_devices_are_written_to(images: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Not replaced by files."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()

    assert cli.run(["detect", str(images / "a.png"), *NETWORK, "--csv", str(pipe), "--quiet"]) == 0

    reader.join(timeout=10)
    assert got[0].startswith("path,class,score")
    assert pipe.is_fifo()
    assert cli.run(["detect", str(images / "a.png"), *NETWORK, "--json", "/dev/full"]) == 2
    assert "/dev/full: cannot be written: No space left" in capsys.readouterr().err
    assert Path("/dev/full").is_char_device()


def test_without_a_source_the_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where scikit-image is missing, the error says how to get it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    status = cli.run(["detect", *NETWORK])

    assert status == 2
    assert "needs scikit-image, which is not installed: pip install 'scikit-image>=0.24'" in capsys.readouterr().err


def test_without_a_source_the_sample_photographs_are_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three images, in a folder that the first line names."""
    pytest.importorskip("skimage", reason="the extra demo is not installed")
    monkeypatch.chdir(tmp_path)

    status = cli.run(["detect", *NETWORK])

    assert status == 0
    assert "detections/" in capsys.readouterr().err
    assert sorted(path.stem for path in (tmp_path / "detections").iterdir()) == ["astronaut", "chelsea", "motorcycle_left"]


def test_a_data_file_points_to_the_names(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Relative to itself where there is nothing in the working directory."""
    (tmp_path / "five.names").write_text("cat\ndog\ncow\nbus\ncar\n")
    (tmp_path / "five.data").write_text("classes = 5\nnames = five.names\n")

    status = cli.run(["detect", str(images / "a.png"), *NETWORK, "--data", str(tmp_path / "five.data")])

    assert status == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]} <= {"cat", "dog", "cow", "bus", "car"}


def test_a_model_may_be_a_folder(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one cfg and one weights file."""
    folder = tmp_path / "net"
    folder.mkdir()
    for ending in ("cfg", "weights"):
        (folder / f"n.{ending}").write_bytes(Path(f"{STEM}.{ending}").read_bytes())

    assert cli.run(["detect", str(images / "a.png"), "--model", str(folder)]) == 0
    (folder / "m.cfg").write_text("")
    assert cli.run(["detect", str(images / "a.png"), "--model", str(folder)]) == 2
    assert "2 .cfg files; expected one" in capsys.readouterr().err


def test_partial_goes_on_and_says_so(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the numbers that there are."""
    short = tmp_path / "short.weights"
    short.write_bytes(Path(f"{STEM}.weights").read_bytes()[:-40])
    arguments = ["detect", str(images / "a.png"), "--cfg", f"{STEM}.cfg", "--weights", str(short)]

    assert cli.run(arguments) == 2
    assert cli.run([*arguments, "--partial"]) == 0
    assert "10 of" in capsys.readouterr().err.splitlines()[-1]


def test_summary_lists_layers_and_totals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a cfg alone, too; the JSON has a row a layer."""
    path = tmp_path / "s.json"

    status = cli.run(["summary", "--cfg", f"{STEM}.cfg", "--json", str(path)])

    lines, table = capsys.readouterr().out.splitlines(), json.loads(path.read_text())
    assert status == 0
    assert len(table["layers"]) == len(lines) - 3 == 11
    assert table["layers"][1]["output"] == [8, 16, 24]
    assert table["layers"][1]["parameters"] == 8 * 8 * 9 + 4 * 8
    assert lines[-1].startswith("with separable convolutions")


def test_separable_cost_follows_the_articles_formula(tmp_path: Path) -> None:
    """k²MN against k²M + MN: 23.84 times for k=5, N=512, which the article rounds to 23.86."""
    (tmp_path / "a.cfg").write_text("[net]\nheight=8\nwidth=8\nchannels=7\n[conv]\nsize=5\npad=1\nfilters=512\n")

    cli.run(["summary", "--cfg", str(tmp_path / "a.cfg"), "--json", str(tmp_path / "s.json")])

    (row,) = json.loads((tmp_path / "s.json").read_text())["layers"]
    assert row["bflops"] / row["separable_bflops"] == pytest.approx(25 * 512 / (25 + 512))


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a subcommand there is help."""
    assert cli.run(["--version"]) == 0
    assert cli.run([]) == 0
    assert cli.run(["detect", "--help"]) == 0
    assert "yolodsc 0." in capsys.readouterr().out
