"""``yolodsc detect`` on videos, as a user runs it."""

import csv
import json
import os
import signal
import sys
from pathlib import Path

import cv2
import pytest

from tests.cli.support import complains, run
from tests.faults.commands import ended, started, temporary, wait
from tests.video.support import NETWORK, frames, media_server, read_clip, write_clip
from yolodsc import cli
from yolodsc.images.image import read_image, write_image

LOW = [*NETWORK, "--thresh", ".05"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames."""
    (tmp_path / "in").mkdir()
    return write_clip(tmp_path / "in/clip.mp4", 10, fps=20)


def lines(path: Path) -> list[dict[str, object]]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_a_video_is_written_in_every_format(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All agree, and carry numbers of frames and tracks."""
    pytest.importorskip("trackers", reason="the extra track is not installed")
    out = tmp_path / "out"
    outputs = ["--save", str(out), "--txt", str(out / "txt"), "--crops", str(out / "crops")]
    outputs += [word for kind in ("json", "jsonl", "csv") for word in (f"--{kind}", str(out / f"r.{kind}"))]

    status = cli.run(["detect", str(clip), *LOW, "--track", *outputs])

    records = lines(out / "r.jsonl")
    objects = [(record["frame"], entry) for record in records for entry in record["objects"]]  # type: ignore[attr-defined]
    darknet = json.loads((out / "r.json").read_text())
    with (out / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert status == 0
    assert [(record["frame"], record["time_ms"]) for record in records] == [(n + 1, 50.0 * n) for n in range(10)]
    assert {record["source"] for record in records} == {str(clip)}
    assert len(read_clip(out / "clip.mp4")) == 10
    assert [frame["frame_id"] for frame in darknet] == list(range(1, 11))
    assert [entry["track_id"] for frame in darknet for entry in frame["objects"]] == [entry["track_id"] for _, entry in objects]
    assert [(row["frame"], row["track_id"]) for row in rows] == [(str(n), str(entry["track_id"] or "")) for n, entry in objects]
    assert any(entry["track_id"] for _, entry in objects)
    assert sorted(path.name for path in (out / "txt").iterdir()) == [f"clip_{n:06d}.txt" for n in range(1, 11)]
    last = [line.split() for line in (out / "txt/clip_000010.txt").read_text().splitlines()]
    assert [int(words[6]) for words in last] == [entry["track_id"] or -1 for n, entry in objects if n == 10]
    assert any("_id1.jpg" in path.name for path in (out / "crops").glob("clip_000010_*.jpg"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{clip} frame 1: ")
    assert printed[-2].startswith(f"{clip}: 10 frames (")
    assert printed[-2].endswith(f"saved in {out / 'clip.mp4'}")
    assert printed[-1].startswith("  tracks: ")


def test_images_and_videos_mix_in_their_order(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory contributes both; images have no frame, and the columns are there for both."""
    write_image(clip.parent / "a.png", frames(1)[0])
    write_image(clip.parent / "d.png", frames(1)[0])
    results = tmp_path / "r.jsonl"

    status = cli.run(
        ["detect", str(clip.parent), *LOW, "--max-frames", "2", "--jsonl", str(results), "--csv", str(tmp_path / "r.csv")]
    )

    records = lines(results)
    assert status == 0
    assert [(Path(str(record["source"])).name, record["frame"]) for record in records] == [
        ("a.png", None),
        ("clip.mp4", 1),
        ("clip.mp4", 2),
        ("d.png", None),
    ]
    assert set(records[0]["objects"][0]) == {"class_id", "name", "score", "box"}  # type: ignore[index]
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == "path,class,score,xmin,ymin,xmax,ymax,frame"
    assert "d.png: 96x64" in capsys.readouterr().out


def test_json_lines_on_standard_output_stand_alone(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is printed there."""
    status = cli.run(["detect", str(clip), *LOW, "--jsonl", "-", "--vid-stride", "4"])

    printed = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [json.loads(line)["frame"] for line in printed] == [1, 5, 9]


def test_videos_on_standard_input_keep_frames_in_the_path(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns of CSV are fixed before a list on standard input is read."""
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{clip}\n"))

    cli.run(["detect", "-", *LOW, "--max-frames", "1", "--csv", str(tmp_path / "r.csv"), "--quiet"])

    heading, first = (tmp_path / "r.csv").read_text().splitlines()[:2]
    assert heading == "path,class,score,xmin,ymin,xmax,ymax"
    assert first.startswith(f"{clip}#1,")


@pytest.mark.slow
def test_crossings_are_counted(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line implies tracking, and the counts end the output."""
    pytest.importorskip("trackers", reason="the extra track is not installed")

    status = cli.run(["detect", str(clip), *LOW, "--count-line", "48,0,48,64", "--trails", "5", "--save", str(tmp_path / "o")])

    assert status == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("  line 48,0,48,64: to the right ")


def test_a_damaged_video_does_not_end_the_run(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line; the exit status is 1 at the end."""
    (clip.parent / "a.mp4").write_bytes(b"no video")

    status = cli.run(["detect", str(clip.parent), *LOW])

    captured = capsys.readouterr()
    assert status == 1
    assert captured.err == (
        f"yolodsc: {clip.parent / 'a.mp4'}: cannot be opened; expected a video, a camera or a stream that OpenCV reads\n"
    )
    assert "clip.mp4: 10 frames (" in captured.out


def test_images_behind_urls_are_saved_as_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the last part of the URL."""
    with media_server() as server:
        status = cli.run(["detect", f"{server.url}/image.png?x=1", *LOW, "--save", str(tmp_path)])

    assert status == 0
    assert read_image(tmp_path / "image.png").shape == (64, 96, 3)
    assert "1 frame (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--count-line", "1,2,3"], "--count-line 1,2,3: expected x0,y0,x1,y1 in pixels"),
        (["--vid-stride", "0"], "--vid-stride 0: expected a whole number of at least 1"),
        (["--max-frames", "0"], "--max-frames 0: expected a whole number of at least 1"),
    ],
)
def test_invalid_options_are_one_line(options: list[str], message: str, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any work begins."""
    assert cli.run(["detect", str(clip), *LOW, *options]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_messages_of_libraries_stay_off_the_terminal(clip: Path, tmp_path: Path) -> None:
    """A damaged video is one line, and a video is written without a message about codecs that are missing."""
    (tmp_path / "a.mp4").write_bytes(b"no video")

    damaged = run("detect", str(tmp_path / "a.mp4"), *LOW)
    written = run("detect", str(clip), *LOW, "--save", str(tmp_path / "out"), "--quiet")

    complains(damaged, "a.mp4: cannot be opened", status=1)
    assert (written.returncode, written.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk_leaves_no_video(clip: Path, tmp_path: Path) -> None:
    """One line, exit status 2, and no file, neither whole nor temporary."""
    long = write_clip(tmp_path / "long.mp4", 60, size=(320, 240))

    done = run(
        "detect", str(long), *LOW, "--save", str(tmp_path / "out"), "--quiet", shell="ulimit -f 8; {}", PYTHONDONTWRITEBYTECODE="1"
    )

    complains(done, "long.mp4: cannot be written: ")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of Linux")
@pytest.mark.parametrize("display", ["", ":7777"])
def test_showing_without_a_display_is_refused(display: str, clip: Path) -> None:
    """In one line, with exit status 2."""
    complains(run("detect", str(clip), *LOW, "--show", DISPLAY=display, WAYLAND_DISPLAY=""), "--show: ")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stream_keeps_what_was_done(number: signal.Signals, tmp_path: Path) -> None:
    """The video can be played, the lines are whole, and no temporary file is left."""
    with media_server() as server:
        arguments = ("detect", f"{server.url}/stream", *LOW, "--save", tmp_path, "--jsonl", tmp_path / "r.jsonl")
        process = started(*arguments)
        wait(process, lambda: any(path.read_bytes().count(b"\n") > 9 for path in tmp_path.glob(".r.jsonl*")))
        os.kill(process.pid, number)
        status, error = ended(process, seconds=30)

    assert status == 128 + number, error
    records = lines(tmp_path / "r.jsonl")
    stored = len(read_clip(tmp_path / "stream.mp4"))
    assert len(records) > 9
    assert stored in (len(records), len(records) - 1)
    assert temporary(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/ptmx").exists(), reason="needs pseudo-terminals")
def test_results_reach_a_file_while_progress_is_on_the_terminal(clip: Path, tmp_path: Path) -> None:
    """The progress bar takes standard error only."""
    import pty
    import subprocess

    controller, terminal = pty.openpty()
    with (tmp_path / "out.txt").open("w") as out:
        words = [sys.executable, "-m", "yolodsc", "detect", str(clip), *LOW]
        process = subprocess.Popen(words, stdout=out, stderr=terminal, env={**os.environ, "TERM": "xterm"})
        os.close(terminal)
        shown = b""
        with os.fdopen(controller, "rb", 0) as reader:
            while True:
                try:
                    shown += reader.read(4096)
                except OSError:  # the last writer has closed it
                    break
        process.wait(60)

    assert (tmp_path / "out.txt").read_text().count(" frame ") == 10
    assert b"frames" in shown


def test_frames_of_a_camera_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the number of the camera, until the limit of frames."""
    from tests.video.support import FakeCapture
    from yolodsc.detection.video import stream as stream_module

    opened: list[object] = []
    monkeypatch.setattr(
        stream_module, "open_capture", lambda source: opened.append(source) or FakeCapture(frames(4) * 500, fps=30, pause=0.005)
    )
    monkeypatch.chdir(tmp_path)

    status = cli.run(["detect", "2", *LOW, "--save", "out", "--max-frames", "4", "--quiet"])

    assert (status, opened) == (0, [2])
    assert len(read_clip(tmp_path / "out/camera2.mp4")) == 4
    assert cv2.VideoCapture(str(tmp_path / "out/camera2.mp4")).get(cv2.CAP_PROP_FPS) == 30
