"""`stream`: frames and detections of a video, a camera or a stream; `open_source`: its frames."""

import logging
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

from yolodsc.detection.detections import Detections
from yolodsc.detection.pipeline import Pipeline
from yolodsc.detection.video.capture import CaptureSource
from yolodsc.detection.video.download import downloaded_image, image_suffix
from yolodsc.detection.video.frames import FrameSource, Report
from yolodsc.detection.video.kinds import ANIMATIONS, display_name, is_animated, is_camera, is_url
from yolodsc.detection.video.opencv import Capture, open_capture
from yolodsc.detection.video.run import FrameResult, detect_frames
from yolodsc.detection.video.stills import AnimationSource, DownloadedImage
from yolodsc.errors import ImageError, OptionError
from yolodsc.files import exists, regular_size
from yolodsc.images import ImageArray

RECONNECTS = 5
"""Successive attempts to reconnect to a stream, after 1, 2, 4, 8 and 16 seconds."""

Source = str | Path | int | Capture
"""A path, a URL, the index of a camera, or an object with the methods of ``cv2.VideoCapture``."""


def stream(
    pipeline: Pipeline,
    source: Source,
    *,
    vid_stride: int = 1,
    max_frames: int | None = None,
    track: bool = False,
    reconnects: int = RECONNECTS,
    report: Report | None = None,
) -> Generator[tuple[ImageArray, Detections]]:
    """Detect objects in the frames of a video, an animation, a camera or a stream.

    Parameters
    ----------
    pipeline
        Runs the network.
    source
        A path, a URL, the index of a camera, or an object with the methods of ``cv2.VideoCapture``.
    vid_stride
        Every how many frames one is processed.
    max_frames
        Number of frames after which to stop.
    track
        Number the objects by ByteTrack; see `tracking.Tracker`.
    reconnects
        Successive attempts to reconnect to a camera or stream.
    report
        Receives a line about each broken frame and each dropped stream; by default the logger ``yolodsc``.

    Yields
    ------
    (H, W, 3) uint8, Detections
        The frame in RGB and its detections, with ``frame`` and ``time_ms``.

    Raises
    ------
    ImageError
        The source cannot be opened, or ended with an error.
    MissingExtraError
        ``track`` is requested and the library is not installed.
    """
    from yolodsc.detection.tracking.tracker import Tracker, low_threshold

    report = report or logging.getLogger("yolodsc").warning
    frames = open_source(pipeline, source, vid_stride=vid_stride, reconnects=reconnects, report=report)
    tracker = Tracker(thresh=pipeline.postprocessor.thresh, fps=frames.fps) if track else None
    results = detect_frames(low_threshold(pipeline) if track else pipeline, frames)
    with closing(limited(results, max_frames)) as limited_results:
        for result in limited_results:
            yield result.frame.image, tracker.update(result.detections) if tracker else result.detections


def open_source(
    pipeline: Pipeline, source: Source, *, vid_stride: int = 1, reconnects: int = RECONNECTS, report: Report
) -> FrameSource:
    """Open a source; see `stream`.

    Raises
    ------
    ImageError
        The source cannot be opened.
    OptionError
        ``vid_stride`` is below 1.
    """
    if vid_stride < 1:
        raise OptionError(f"vid_stride={vid_stride}: expected at least 1", parameter="vid_stride")
    if not isinstance(source, str | Path | int):
        return CaptureSource(lambda: source, name=type(source).__name__, camera=True, vid_stride=vid_stride, report=report)
    text = str(source)
    if is_url(text):
        content = downloaded_image(text)
        if content is not None:
            return DownloadedImage(
                display_name(text), content, suffix=image_suffix(text), read=lambda path: pipeline.reader.read(path).image
            )
    elif not is_camera(text):
        if not exists(text):
            raise ImageError(f"{text}: no such file")
        regular_size(text, error=ImageError)
        if Path(text).suffix.lower() in ANIMATIONS and is_animated(text):
            return AnimationSource(text, vid_stride=vid_stride)
    return CaptureSource(
        lambda: open_capture(int(text) if text.isdecimal() and is_camera(text) else text),
        name=display_name(text),
        camera=is_camera(text),
        url=is_url(text),
        vid_stride=vid_stride,
        reconnects=reconnects,
        report=report,
    )


def limited(results: Generator[FrameResult], count: int | None) -> Generator[FrameResult]:
    """Yield at most ``count`` results, then close their generator, which ends the reading.

    Raises
    ------
    OptionError
        ``count`` is below 1.
    """
    if count is not None and count < 1:
        raise OptionError(f"max_frames={count}: expected at least 1", parameter="max_frames")
    with closing(results):
        yield from islice(results, count)
