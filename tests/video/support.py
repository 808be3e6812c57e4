"""Clips, captures and servers that the tests make themselves."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.conftest import GOLDEN
from yolodsc.detection.detector import Detector

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]
SIZE = (96, 64)

Image = NDArray[np.uint8]


def detector(**options: object) -> Detector:
    """A small network that reports many boxes."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", **{"thresh": 0.05} | options)


def frames(count: int, *, size: tuple[int, int] = SIZE) -> list[Image]:
    """BGR frames (H, W, 3) with a bright square that moves to the right over noise that stays."""
    width, height = size
    background = np.random.default_rng(0).integers(0, 90, (height, width, 3), np.uint8)
    made = []
    for number in range(count):
        frame = background.copy()
        left = (3 * number) % (width - 16)
        frame[20:36, left : left + 16] = (40, 200, 240)
        made.append(frame)
    return made


def write_clip(path: Path, count: int, *, fps: float = 20, size: tuple[int, int] = SIZE, codec: str = "mp4v") -> Path:
    """A video of `frames`."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for frame in frames(count, size=size):
        writer.write(frame)
    writer.release()
    return path


def read_clip(path: Path) -> list[Image]:
    """All frames of a video, in BGR."""
    capture = cv2.VideoCapture(str(path))
    read = []
    while True:
        more, frame = capture.read()
        if not more:
            capture.release()
            return read
        read.append(np.asarray(frame, np.uint8))


class FakeCapture:
    """A capture of a list: a frame, None for one that cannot be read, or an exception; then frames end."""

    def __init__(self, content: list[Any], *, fps: float = 0.0, count: float = 0.0, pause: float = 0.0) -> None:
        self.content, self.fps, self.count, self.pause = list(content), fps, count, pause
        self.position = 0
        self.released = False

    def read(self) -> tuple[bool, Any]:
        """The next entry of the list."""
        time.sleep(self.pause)
        if self.released or self.position >= len(self.content):
            return False, None
        entry = self.content[self.position]
        self.position += 1
        if isinstance(entry, Exception):
            raise entry
        return entry is not None, entry

    def grab(self) -> bool:
        """Skip an entry."""
        return self.read()[0]

    def get(self, property_id: int, /) -> float:
        """Frames a second, and number of frames."""
        return {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_FRAME_COUNT: self.count}.get(property_id, 0.0)

    def release(self) -> None:
        """Remember it."""
        self.released = True


class _Handler(BaseHTTPRequestHandler):
    """``/stream`` and ``/stream.mjpg`` send JPEGs without end, ``/image`` and ``/image.png`` one PNG, ``/short`` a few JPEGs."""

    server: "MediaServer"

    def do_GET(self) -> None:
        """Answer one request."""
        self.server.requests.append(self.path)
        if self.path.startswith("/image"):
            self._answer("image/png", cv2.imencode(".png", frames(1)[0])[1].tobytes())
        elif self.path.startswith(("/stream", "/short")):
            self._stream(3 if self.path.startswith("/short") else 10**6)
        else:
            self.send_error(404)

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames(20)]
        try:
            for number in range(count):
                jpeg = jpegs[number % len(jpegs)]
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                if self.server.ending.wait(0.02):
                    return
        except OSError:  # the client has gone
            return

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class MediaServer(ThreadingHTTPServer):
    """A server on the loopback device."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def media_server() -> Iterator[MediaServer]:
    """A running server."""
    server = MediaServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
