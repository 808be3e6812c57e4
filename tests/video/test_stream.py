"""Frames through the pipeline: the same detections as images, in order, from every kind of source."""

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.video.rtsp import coded_frames, rtsp_server
from tests.video.support import SIZE, FakeCapture, detector, frames, media_server, read_clip, write_clip
from yolodsc.detection.detections import Detections
from yolodsc.detection.detector import Detector
from yolodsc.detection.video import capture as capture_module
from yolodsc.detection.video.capture import CaptureSource
from yolodsc.detection.video.run import detect_frames
from yolodsc.errors import ImageError, OptionError


def same(one: Detections, other: Detections) -> bool:
    """Whether the numbers of two results are equal to the bit."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("boxes_xyxy", "scores", "class_ids"))


@pytest.mark.parametrize("streams", [1, 2])
def test_frames_give_the_detections_of_images(tmp_path: Path, streams: int) -> None:
    """Bit for bit and in order, with numbers, times and the name of the clip."""
    clip = write_clip(tmp_path / "a.mp4", 12, fps=20)
    expected = [np.ascontiguousarray(frame[..., ::-1]) for frame in read_clip(clip)]
    detect = detector(streams=streams)

    found = list(detect.stream(clip))

    assert len(found) == len(expected) == 12
    assert sum(len(detections) for _, detections in found) > 12
    for number, ((image, detections), pixels) in enumerate(zip(found, expected, strict=True)):
        assert np.array_equal(image, pixels)
        assert same(detections, detect(pixels))
        assert (detections.path, detections.frame) == (str(clip), number + 1)
        assert detections.time_ms == pytest.approx(50 * number, abs=1)
    detect.close()


def test_stride_and_limit_select_frames(tmp_path: Path) -> None:
    """Frames keep the numbers and times that they have in the video."""
    clip = write_clip(tmp_path / "a.mp4", 12, fps=20)
    detect = detector()

    strided = [(found.frame, round(found.time_ms or 0)) for _, found in detect.stream(clip, vid_stride=5)]
    first = [found.frame for _, found in detect.stream(clip, vid_stride=2, max_frames=3)]

    assert strided == [(1, 0), (6, 250), (11, 500)]
    assert first == [1, 3, 5]
    for option, value in (("vid_stride", 0), ("max_frames", 0)):
        with pytest.raises(OptionError, match=f"^{option}=0: expected at least 1$"):
            next(detect.stream(clip, **{option: value}))
    detect.close()


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animations_are_clips(tmp_path: Path, suffix: str) -> None:
    """All frames as they are shown, at the times that their durations give."""
    images = [Image.fromarray(frame[..., ::-1].copy()) for frame in frames(5)]
    durations = [100, 100, 300, 100, 100]
    images[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=images[1:], duration=durations, loop=0, lossless=True)
    detect = detector()

    found = list(detect.stream(tmp_path / f"a.{suffix}"))
    strided = [detections.frame for _, detections in detect.stream(tmp_path / f"a.{suffix}", vid_stride=2)]

    assert [detections.time_ms for _, detections in found] == [0, 100, 200, 500, 600]
    assert [detections.frame for _, detections in found] == [1, 2, 3, 4, 5]
    assert all(np.abs(image.astype(int) - np.asarray(shown)).mean() < 12 for (image, _), shown in zip(found, images, strict=True))
    assert strided == [1, 3, 5]
    detect.close()


def test_networks_of_one_channel_read_the_grey_of_frames(tmp_path: Path, shared: Path) -> None:
    """The frames that are handed out stay in colour."""
    stem = shared / "data/models/yolo-s-relu-person-gray160/yolo-s-relu-person-gray160"
    detect = Detector.from_files(f"{stem}.cfg", f"{stem}.weights", thresh=0.001)

    image, found = next(detect.stream(write_clip(tmp_path / "a.mp4", 2)))

    assert image.shape == (SIZE[1], SIZE[0], 3)
    assert same(found, detect(image))
    detect.close()


@pytest.mark.slow
def test_any_object_like_a_capture_can_be_a_source() -> None:
    """Grey, BGR and BGRA frames become RGB; it is released at the end."""
    bgr = frames(1)[0]
    capture = FakeCapture([bgr, np.dstack([bgr, bgr[..., :1]]), bgr[..., 0]], pause=0.5)
    detect = detector()

    images = [image for image, _ in detect.stream(capture, report=lambda line: None)]

    assert np.array_equal(images[0], bgr[..., ::-1])
    assert np.array_equal(images[1], bgr[..., ::-1])
    assert np.array_equal(images[2], np.repeat(bgr[..., :1], 3, axis=2))
    assert capture.released
    detect.close()


def test_broken_frames_are_reported_and_skipped() -> None:
    """A frame that cannot be read, is no image of bytes, or makes OpenCV fail does not end the source."""
    good = frames(4)
    content = [good[0], None, good[1], good[2].astype(np.float32), cv2.error("damaged"), good[3]]
    reports: list[str] = []
    source = CaptureSource(lambda: FakeCapture(content, count=6, fps=10), name="a.mkv", report=reports.append)

    images = [frame.image for frame in source]

    assert len(images) == 3
    assert np.array_equal(images[2], good[3][..., ::-1])
    assert reports == ["a.mkv: 1 unreadable frame after frame 1", "a.mkv: 2 unreadable frames after frame 2"]
    assert not source.failed


@pytest.mark.parametrize("damage", [bytes, lambda size: np.random.default_rng(0).bytes(size)], ids=["zeros", "noise"])
def test_a_damaged_frame_of_a_file_is_reported(tmp_path: Path, damage: Callable[[int], bytes]) -> None:
    """The frames around it are the same as without the damage."""
    clip = write_clip(tmp_path / "a.avi", 20, codec="MJPG")
    whole = read_clip(clip)
    content = clip.read_bytes()
    coded = coded_frames(clip)[9]
    clip.write_bytes(content.replace(coded, damage(len(coded)), 1))
    reports: list[str] = []
    detect = detector()

    images = [image for image, _ in detect.stream(clip, report=reports.append)]

    assert reports == [f"{clip}: 1 unreadable frame after frame 9"]
    assert all(np.array_equal(image, frame[..., ::-1]) for image, frame in zip(images, whole[:9] + whole[10:], strict=True))
    detect.close()


def test_a_video_that_ends_early_is_reported(tmp_path: Path) -> None:
    """With the frames that could be read; they are kept."""
    whole = write_clip(tmp_path / "whole.avi", 40, codec="MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    reports: list[str] = []
    detect = detector()

    found = list(detect.stream(tmp_path / "cut.avi", report=reports.append))

    assert 5 < len(found) < 35
    assert [line.split(": ")[1] for line in reports] == [f"{len(found)} of 40 frames could be read"]
    detect.close()


@pytest.mark.parametrize(("content", "message"), [(b"no video", "cannot be opened"), (None, "no such file")])
def test_what_is_no_video_is_one_line(content: bytes | None, message: str, tmp_path: Path) -> None:
    """It names the file."""
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    detect = detector()

    with pytest.raises(ImageError, match=f"a.mp4: {message}"):
        next(detect.stream(path))
    detect.close()


def test_a_dropped_stream_is_reconnected_with_growing_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame in between resets the delay; numbers go on; after the last attempt the source has failed."""
    pictures = frames(3)
    connections = iter([FakeCapture(pictures[:2]), None, FakeCapture([]), FakeCapture(pictures[2:]), None, None, FakeCapture([])])
    delays: list[float] = []
    reports: list[str] = []
    source = CaptureSource(lambda: next(connections), name="rtsp://h/x", url=True, reconnects=3, report=reports.append)
    monkeypatch.setattr(source._stopped, "wait", delays.append)

    numbers = [frame.number for frame in source]

    assert numbers == [1, 2, 3]
    assert delays == [1, 2, 4, 1, 2, 4]
    assert reports[0] == "rtsp://h/x: no frame after frame 2; attempt 1 of 3 to reconnect in 1 s"
    assert reports[-1] == "rtsp://h/x: ended after frame 3; 3 attempts to reconnect failed"
    assert len(reports) == 7
    assert source.failed


def test_closing_the_generator_ends_a_wait_for_a_stream() -> None:
    """Threads end and the capture is released, without waiting for the delay."""
    capture = FakeCapture(frames(1))
    source = CaptureSource(lambda: capture, name="camera0", camera=True, reconnects=5, report=lambda line: None)
    detect = detector()
    results = detect_frames(detect.pipeline, source)
    next(results)
    start = time.perf_counter()

    results.close()

    assert time.perf_counter() - start < 0.9
    assert capture.released
    assert not [thread for thread in threading.enumerate() if thread.name == "video"]
    detect.close()


def test_live_sources_drop_frames_that_come_too_fast() -> None:
    """A slow caller gets recent frames: it never works through a queue of old ones."""
    capture = FakeCapture(frames(4) * 100, pause=0.002)
    detect = detector()
    numbers = []

    for _, found in detect.stream(capture, max_frames=8, report=lambda line: None):
        numbers.append(found.frame or 0)
        time.sleep(0.05)

    assert len(numbers) == 8
    assert numbers == sorted(numbers)
    assert numbers[-1] > 12
    detect.close()


def test_videos_wait_for_a_slow_caller_in_bounded_memory() -> None:
    """Few frames are read ahead, and none is dropped."""
    capture = FakeCapture(frames(4) * 15, count=60, fps=10)
    source = CaptureSource(lambda: capture, name="a.mkv", report=lambda line: None)
    detect = detector()
    ahead = []

    for number, _ in enumerate(detect_frames(detect.pipeline, source), 1):
        time.sleep(0.01)
        ahead.append(capture.position - number)

    assert number == 60
    assert 0 < max(ahead) <= 8
    detect.close()


@pytest.mark.slow
def test_frames_are_released_as_soon_as_the_caller_drops_them() -> None:
    """No frame is referenced by the pipeline after its turn."""
    capture = FakeCapture(frames(4) * 10, count=40, fps=10)
    source = CaptureSource(lambda: capture, name="a.mkv", report=lambda line: None)
    detect = detector()
    most = 0

    for result in detect_frames(detect.pipeline, source):
        del result
        gc.collect()
        most = max(most, sum(type(one).__name__ == "FrameResult" for one in gc.get_objects()))

    assert most <= 12
    detect.close()


def test_an_error_of_the_source_reaches_the_caller_after_the_frames(tmp_path: Path) -> None:
    """Earlier results are yielded first."""

    class Failing:
        name, fps, count, live, failed = "x", 10.0, None, False, False

        def __iter__(self) -> object:
            from yolodsc.detection.video.frames import VideoFrame

            yield VideoFrame(frames(1)[0], 1, 0.0)
            raise ImageError("x: frame 2 cannot be read")

        def stop(self) -> None:
            """Nothing to do."""

    detect = detector()
    results = detect_frames(detect.pipeline, Failing())  # type: ignore[arg-type]

    assert next(results).detections.frame == 1
    with pytest.raises(ImageError, match="frame 2"):
        next(results)
    detect.close()


@pytest.mark.slow
def test_a_stream_over_http_is_read_until_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    """MJPEG from a server on the loopback device: live, reconnected, then given up."""
    monkeypatch.setattr(capture_module, "_LONGEST_DELAY", 0.05)
    reports: list[str] = []
    detect = detector()

    with media_server() as server:
        live = [found.frame for _, found in detect.stream(f"{server.url}/stream", max_frames=5, report=reports.append)]
        assert (live, reports) == (sorted(live), [])
        short = [
            found.time_ms
            for _, found in detect.stream(f"{server.url}/short.mjpg", reconnects=2, max_frames=4, report=reports.append)
        ]

    assert len(live) == 5
    assert len(short) == 4
    assert short == sorted(short)
    assert "no frame after frame" in reports[0]
    assert server.requests.count("/short.mjpg") >= 2
    detect.close()


def test_images_behind_urls_are_images() -> None:
    """By their content type; they have no frame and no time."""
    detect = detector()
    expected = np.ascontiguousarray(frames(1)[0][..., ::-1])

    with media_server() as server:
        for url in (f"{server.url}/image.png?x=1", f"{server.url}/image"):
            ((image, found),) = detect.stream(url)
            assert np.array_equal(image, expected)
            assert same(found, detect(expected))
            assert (found.path, found.frame, found.time_ms) == (url, None, None)
        with pytest.raises(ImageError, match=r"/missing\.png: cannot be read: Not Found"):
            next(detect.stream(f"{server.url}/missing.png"))
    detect.close()


def test_real_videos_are_read_to_the_end(shared: Path) -> None:
    """H.264 and an animated GIF."""
    detect = detector()

    found = [found for _, found in detect.stream(shared / "data/videos/car-detection.mp4", vid_stride=40)]
    animated = [found for _, found in detect.stream(shared / "data/videos/person-bicycle-car-detection.gif", vid_stride=10)]

    assert [one.frame for one in found] == list(range(1, 378, 40))
    assert found[1].time_ms == pytest.approx(40 / 12.5 * 1000)
    assert [one.frame for one in animated] == [1, 11, 21, 31, 41]
    detect.close()


@pytest.mark.slow
def test_a_stream_over_rtsp_is_reconnected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server closes the connection after some frames; the numbers go on with the next one."""
    monkeypatch.setattr(capture_module, "_LONGEST_DELAY", 0.05)
    reports: list[str] = []
    detect = detector()

    with rtsp_server(tmp_path, count=25) as server:
        found = [found for _, found in detect.stream(server.url, max_frames=35, report=reports.append)]

    assert len(found) == 35
    assert [one.frame for one in found] == sorted({one.frame for one in found})
    assert reports
    assert "attempt 1 of 5 to reconnect" in reports[0]
    assert sum(line.startswith("PLAY") for line in server.requests) >= 2
    detect.close()
