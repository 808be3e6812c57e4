"""Annotated videos, and the window."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.video.support import frames, read_clip
from yolodsc.detection.detections import Detections
from yolodsc.detection.tracking.counts import CountLine, LineCounter
from yolodsc.detection.video import video_file as video_file_module
from yolodsc.detection.video.opencv import open_writer
from yolodsc.detection.video.overlay import Overlay
from yolodsc.detection.video.video_file import VideoFile
from yolodsc.detection.video.window import Window, WindowClosed
from yolodsc.errors import ImageError, OptionError


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (34, 16)])
def test_videos_hold_all_frames_at_their_rate(tmp_path: Path, size: tuple[int, int]) -> None:
    """Whole after closing, without temporary files; odd sides lose one row or column."""
    written = frames(30, size=size)
    video = VideoFile(tmp_path / "a.mp4", fps=12.5)
    for frame in written:
        video.add(frame)
        assert not (tmp_path / "a.mp4").exists()
    video.close()

    read = read_clip(tmp_path / "a.mp4")

    assert len(read) == 30
    assert read[0].shape == (size[1] // 2 * 2, size[0] // 2 * 2, 3)
    assert np.abs(read[7].astype(int) - written[7][: read[7].shape[0], : read[7].shape[1]]).mean() < 25
    assert cv2.VideoCapture(str(tmp_path / "a.mp4")).get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_of_another_size_are_resized_to_the_first(tmp_path: Path) -> None:
    """A stream may come back in another resolution."""
    video = VideoFile(tmp_path / "a.mp4", fps=10)
    for frame in (frames(1)[0], frames(1, size=(48, 32))[0], frames(1, size=(200, 100))[0]):
        video.add(frame)
    video.close()

    assert [frame.shape for frame in read_clip(tmp_path / "a.mp4")] == [(64, 96, 3)] * 3


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    """Nor does one that is abandoned, or that is too small to be a video."""
    VideoFile(tmp_path / "a.mp4", fps=10).close()
    video = VideoFile(tmp_path / "b.mp4", fps=10)
    video.add(frames(1)[0])
    video.abandon()
    small = VideoFile(tmp_path / "c.mp4", fps=10)
    with pytest.raises(ImageError, match=r"c\.mp4: frames of 1x1 pixels; expected at least 2 a side"):
        small.add(np.zeros((1, 1, 3), np.uint8))
    small.close()

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_lacks_frames_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV does not report a full disk: the frames are counted, and an earlier file stays."""
    (tmp_path / "a.mp4").write_bytes(b"earlier")
    video = VideoFile(tmp_path / "a.mp4", fps=10)
    for frame in frames(5):
        video.add(frame)
    monkeypatch.setattr(video_file_module, "frame_count", lambda path: 3)

    with pytest.raises(ImageError, match=r"a\.mp4: cannot be written: 3 of 5 frames are stored; expected more space"):
        video.close()

    assert (tmp_path / "a.mp4").read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    video = VideoFile(tmp_path / "missing" / "a.mp4", fps=10)

    with pytest.raises(ImageError, match=r"a\.mp4: cannot be written: No such file or directory"):
        video.add(frames(1)[0])
    video.close()


@pytest.mark.parametrize(("opens", "expected"), [({"avc1", "mp4v"}, "avc1"), ({"mp4v"}, "mp4v"), (set(), None)])
def test_h264_is_preferred(opens: set[str], expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MPEG-4 where OpenCV has no encoder for it; none is an error that says so."""
    codes = {cv2.VideoWriter.fourcc(*codec): codec for codec in ("avc1", "mp4v")}

    class FakeWriter:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, path: str, backend: int, code: int, fps: float, size: tuple[int, int]) -> None:
            self.codec = codes[code]

        def isOpened(self) -> bool:  # noqa: N802
            return self.codec in opens

    monkeypatch.setattr(cv2, "VideoWriter", FakeWriter)

    writer = open_writer(tmp_path / "a.mp4", fps=10, size=(8, 8))

    assert (writer.codec if writer else None) == expected
    if expected is None:
        video = VideoFile(tmp_path / "a.mp4", fps=10)
        with pytest.raises(ImageError, match=r"no encoder for H\.264 or MPEG-4"):
            video.add(frames(1)[0])
        video.close()
        assert list(tmp_path.iterdir()) == []


def detections(tracks: list[int] | None) -> Detections:
    """Two boxes."""
    boxes = np.array([[10, 20, 40, 50], [50, 30, 80, 60]], np.float32)
    scores = np.array([0.9, 0.5], np.float32)
    ids = None if tracks is None else np.array(tracks)
    return Detections(boxes, scores, scores, np.array([0, 1]), ("car", "bus"), 96, 64, track_ids=ids)


def test_frames_are_drawn_as_images_are() -> None:
    """Without tracks the drawing is that of `Detections.draw`, in BGR; the frame does not change."""
    image = np.ascontiguousarray(frames(1)[0][..., ::-1])
    before = image.copy()

    drawn = Overlay().draw(image, detections(None))

    assert np.array_equal(drawn[..., ::-1], detections(None).draw(image))
    assert np.array_equal(image, before)


def test_tracks_trails_and_lines_are_drawn() -> None:
    """Each adds to the drawing."""
    image = np.zeros((240, 320, 3), np.uint8)
    line = LineCounter(CountLine.parsed("0,100,300,200"))

    plain = Overlay().draw(image, detections([1, 2]))
    overlay = Overlay(trails=5, line=line)
    overlay.draw(image, detections([1, 2]))
    moved = detections([1, 2])
    moved.boxes_xyxy[:] += 60
    full = overlay.draw(image, moved)

    assert detections([1, -1]).labels() == ["car #1 90%", "bus 50%"]
    assert (plain != Overlay().draw(image, detections([3, 4]))).any()
    assert full[150, 150].min() > 200
    assert full[65, 55].any()
    assert not Overlay().draw(image, moved)[65, 55].any()


class FakeScreen:
    """The functions of OpenCV's windows, with the keys that a user presses."""

    WINDOW_AUTOSIZE, WND_PROP_VISIBLE = 1, 4

    def __init__(self, keys: list[int], visible: float = 1.0) -> None:
        self.keys, self.visible, self.shown, self.closed = keys, visible, 0, False

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of OpenCV's functions."""
        for name in ("namedWindow", "imshow", "waitKey", "getWindowProperty", "destroyAllWindows"):
            monkeypatch.setattr(cv2, name, getattr(self, name))

    def namedWindow(self, *_: Any) -> None:  # noqa: N802
        """Nothing to open."""

    def imshow(self, title: str, frame: Any) -> None:
        """Count."""
        self.shown += 1

    def waitKey(self, milliseconds: int) -> int:  # noqa: N802
        """The next key, -1 for none."""
        return self.keys.pop(0) if self.keys else -1

    def getWindowProperty(self, *_: Any) -> float:  # noqa: N802
        """Whether the window is visible."""
        return self.visible

    def destroyAllWindows(self) -> None:  # noqa: N802
        """Remember it."""
        self.closed = True


def test_a_window_shows_frames_until_the_user_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By q, Escape or closing it; images wait for a key, frames do not."""
    monkeypatch.setattr("yolodsc.detection.video.window._ensure_display", lambda: None)
    frame = frames(1)[0]
    screen = FakeScreen([-1, ord("a"), -1, -1, ord("n"), ord("q")])
    screen.patch(monkeypatch)
    window = Window()

    window.show(frame)
    window.show(frame)
    window.show(frame, until_key=True)
    with pytest.raises(WindowClosed):
        window.show(frame)
    window.close()

    assert (screen.shown, screen.keys, screen.closed) == (4, [], True)
    screen.visible = 0
    with pytest.raises(WindowClosed):
        window.show(frame)


def test_a_missing_display_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the environment names none, or the one it names does not answer (OpenCV would end the process)."""
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OptionError, match=r"^show: no display; expected a desktop session") as caught:
        Window()
    assert caught.value.parameter == "show"

    monkeypatch.setenv("DISPLAY", ":7777")
    failed = subprocess.CompletedProcess([], -6, b"", b"qt.qpa.xcb: could not connect to display")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(OptionError, match=r"^show: OpenCV cannot open a window on this display"):
        Window()
