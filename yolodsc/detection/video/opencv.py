"""OpenCV's video input and output, opened without messages of its libraries."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from yolodsc.detection.video.buffers import FrameBuffers
from yolodsc.detection.video.kinds import is_url
from yolodsc.engine import capped_at_cores
from yolodsc.images import ImageArray

TIMEOUT_MS = 10_000
"""Maximum time in which a stream opens or gives its next frame."""

MAX_CORES = 2**16
"""More than any machine has."""

_CODECS = ("avc1", "mp4v")
"""H.264, which every player shows, where OpenCV has an encoder for it; else MPEG-4."""


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that is used; any object with these methods can take its place."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a frame, and the frame as (H, W, 3) BGR, (H, W, 4) BGRA or (H, W) grey."""
        ...

    def grab(self) -> bool:
        """Skip a frame."""
        ...

    def get(self, property_id: int, /) -> float:
        """A property; 0 if it is unknown."""
        ...

    def release(self) -> None:
        """Close the source."""
        ...


def open_capture(source: str | int) -> Capture | None:
    """Open a file, a URL or a camera; None if OpenCV cannot."""
    import cv2

    with silent():
        if isinstance(source, int):
            capture = cv2.VideoCapture(source)
        else:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
            capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, _decoder_threads(source)])
            if not capture.isOpened():  # a build without FFmpeg, or a format that only another backend knows
                capture = cv2.VideoCapture(source)
    return capture if capture.isOpened() else None


def _decoder_threads(source: str) -> int:
    """Half of the cores for files, since the network needs them too; one for streams, each further one delays them by a frame."""
    return 1 if is_url(source) else max(1, capped_at_cores(1, MAX_CORES)[1] // 2)


def open_writer(path: Path, *, fps: float, size: tuple[int, int]) -> Any:
    """Open a ``cv2.VideoWriter`` for frames of (width, height) with the first codec that works; None if there is none."""
    import cv2

    with silent():
        for codec in _CODECS:
            for backend in (cv2.CAP_FFMPEG, cv2.CAP_ANY):
                writer = cv2.VideoWriter(str(path), backend, cv2.VideoWriter.fourcc(*codec), fps, size)
                if writer.isOpened():
                    return writer
    return None


def frame_count(path: Path) -> int:
    """Number of frames in a video file; 0 if it cannot be read."""
    import cv2

    capture = open_capture(str(path))
    count = 0 if capture is None else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if capture is not None:
        capture.release()
    return count


def to_rgb(frame: NDArray[Any]) -> ImageArray | None:
    """A frame as OpenCV gives it as (H, W, 3) RGB; None if it is no frame of bytes."""
    import cv2

    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim not in (2, 3) or not frame.size:
        return None
    channels = 1 if frame.ndim == 2 else frame.shape[2]
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    return np.asarray(cv2.cvtColor(frame, codes[channels]), np.uint8) if channels in codes else None


class FrameReader:
    """Reads the frames of a capture into buffers that are used again."""

    def __init__(self) -> None:
        self._buffers = FrameBuffers()
        self._shape: tuple[int, ...] | None = None

    def read(self, capture: Capture) -> tuple[ImageArray, bool] | None:
        """The next frame (H, W, 3), and whether it is in BGR order instead of RGB; None if there is none, or one without bytes.

        Frames of other objects than OpenCV's captures are copied, because these may use their memory again.
        """
        import cv2

        own: Any = capture if type(capture) is cv2.VideoCapture else None
        try:
            read, frame = capture.read() if own is None or self._shape is None else own.read(self._buffers.take(self._shape))
            if own is not None and read and frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3:
                self._shape = frame.shape
                return frame, True
            image = to_rgb(frame) if read else None
        except cv2.error:
            return None
        return None if image is None else (image, False)


class _Silence:
    """OpenCV's log level while any thread needs silence; the last one restores it."""

    def __init__(self) -> None:
        self._lock, self._threads, self._level = Lock(), 0, 0

    def begin(self) -> None:
        """Silence OpenCV."""
        from cv2.utils import logging

        with self._lock:
            if self._threads == 0:
                self._level = logging.getLogLevel()
                logging.setLogLevel(logging.LOG_LEVEL_SILENT)
            self._threads += 1

    def end(self) -> None:
        """Restore the level."""
        from cv2.utils import logging

        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                logging.setLogLevel(self._level)


_silence = _Silence()


@contextmanager
def silent() -> Iterator[None]:
    """Keep OpenCV and FFmpeg from writing to standard error; a user's ``OPENCV_FFMPEG_LOGLEVEL`` takes precedence."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read when FFmpeg is first used
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()
