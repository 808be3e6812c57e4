"""Frames of videos, cameras and streams, with reconnection."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import perf_counter

from yolodsc.detection.video.buffers import FrameBuffers
from yolodsc.detection.video.frames import Report, VideoFrame
from yolodsc.detection.video.opencv import Capture, FrameReader
from yolodsc.errors import ImageError

USUAL_FPS = 25.0
"""Frames a second of sources that do not state theirs."""

_BROKEN = 3
"""Successive frames that cannot be read before a source counts as ended."""

_LONGEST_DELAY = 30.0
"""Maximum seconds between attempts to reconnect; the first delay is one second, each further one twice as long."""

_COUNTED = frozenset({".mp4", ".m4v", ".mov", ".avi", ".3gp"})
"""Containers that state the number of their frames; others give an estimate."""

_TOLERANCE = 0.05
"""Share of the frames that may be missing at the end: editors hide frames without removing them."""


class CaptureSource:
    """Frames of a capture; see `FrameSource` for the attributes.

    Parameters
    ----------
    connect
        Opens the capture; called again when a stream drops. None if that fails.
    name
        As shown and stored.
    camera
        Whether it is a camera, which is live. A URL is live if it has no number of frames.
    url
        Whether it is a URL.
    vid_stride
        Every how many frames one is yielded; the others are not converted.
    reconnects
        Successive attempts to reconnect.
    report
        Receives a line about each incident.

    Raises
    ------
    ImageError
        The capture cannot be opened.
    """

    def __init__(
        self,
        connect: Callable[[], Capture | None],
        *,
        name: str,
        camera: bool = False,
        url: bool = False,
        vid_stride: int = 1,
        reconnects: int = 0,
        report: Report,
    ) -> None:
        import cv2

        self.name, self._connect, self._stride, self._reconnects, self._report = name, connect, vid_stride, reconnects, report
        capture = connect()
        if capture is None:
            raise ImageError(f"{name}: cannot be opened; expected a video, a camera or a stream that OpenCV reads")
        self._capture: Capture = capture
        self._reader, self._rgb = FrameReader(), FrameBuffers()
        fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._fps = fps if 0.1 <= fps <= 1000 else USUAL_FPS
        self.fps = self._fps / vid_stride
        self.live = camera or (url and not frames > 0)
        self._total = int(frames) if frames > 0 and not self.live else None
        self.count = None if self._total is None else -(-self._total // vid_stride)
        self.failed = False
        self._stopped = Event()
        self._number = self._unreadable = self._attempt = 0
        self._time_ms = -1.0
        self._start = perf_counter()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames, through as many connections as it takes."""
        try:
            while True:
                yield from self._frames()
                if self._stopped.is_set() or not self.live or not self._reconnected():
                    break
        finally:
            self._capture.release()
        if not self._stopped.is_set() and not self.live:
            self._report_missing()

    def stop(self) -> None:
        """End the iteration before the next frame, and delays at once."""
        self._stopped.set()

    def _frames(self) -> Iterator[VideoFrame]:
        """Yield the frames of one connection, until several cannot be read."""
        broken = 0
        while broken < _BROKEN and not self._stopped.is_set():
            skipped = self._number % self._stride != 0
            decoded = None if skipped else self._reader.read(self._capture)
            if not (self._capture.grab() if skipped else decoded is not None):
                broken += 1
                continue
            if broken:
                self._report(f"{self.name}: {broken} unreadable frame{'s' * (broken > 1)} after frame {self._number}")
                self._unreadable += broken
            broken = self._attempt = 0
            self._number += 1
            if decoded is not None:
                pixels, bgr = decoded
                yield VideoFrame(pixels, self._number, self._time(), rgb=self._rgb if bgr else None)
                del pixels, decoded  # the buffer is free for the next frame as soon as nobody else has it

    def _time(self) -> float:
        """Milliseconds since the start, which always increase: by the clock for live sources, else as the video says."""
        import cv2

        if self.live:
            return (perf_counter() - self._start) * 1000
        time = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        self._time_ms = time if time > self._time_ms else self._time_ms + 1000 * self._stride / self._fps
        return max(0.0, self._time_ms)

    def _reconnected(self) -> bool:
        """Wait and connect again; False if the attempts are used up, which a frame in between resets."""
        self._capture.release()
        while self._attempt < self._reconnects:
            delay = min(2.0**self._attempt, _LONGEST_DELAY)
            self._attempt += 1
            attempt = f"attempt {self._attempt} of {self._reconnects} to reconnect in {delay:g} s"
            self._report(f"{self.name}: no frame after frame {self._number}; {attempt}")
            if self._stopped.wait(delay):
                return False
            capture = self._connect()
            if capture is not None:
                self._capture = capture
                return True
        self.failed = True
        self._report(f"{self.name}: ended after frame {self._number}; {self._reconnects} attempts to reconnect failed")
        return False

    def _report_missing(self) -> None:
        """Report frames that the file announces and does not give."""
        if self._total is None or Path(self.name).suffix.lower() not in _COUNTED:
            return
        missing = self._total - self._number - self._unreadable
        if missing > 0:
            self._report(f"{self.name}: {self._number} of {self._total} frames could be read")
            self.failed = missing > max(2, _TOLERANCE * self._total)
