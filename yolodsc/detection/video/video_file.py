"""`VideoFile`: annotated frames as a video, encoded in the background."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.detection.video.opencv import frame_count, open_writer, silent
from yolodsc.errors import ImageError

_WAITING = 4
"""Frames that wait to be encoded; further ones make the caller wait."""

_SHORTEST_SIDE = 2


class VideoFile:
    """Writes frames to a video without sound, which takes its name when it is closed.

    Parameters
    ----------
    path
        The file, ``.mp4``.
    fps
        Frames a second.
    """

    def __init__(self, path: Path, *, fps: float) -> None:
        self.path, self._fps, self.frames = path, fps, 0
        self._beside = path.parent / f".{path.stem[:40]}.{token_hex(8)}{path.suffix}"
        self._writer: Any = None
        self._size = (0, 0)
        self._encoder = ThreadPoolExecutor(1, "encode")
        self._pending: deque[Future[None]] = deque()

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame (H, W, 3) in BGR, which must not change afterwards; later frames of another size are resized to the first.

        Raises
        ------
        ImageError
            The file cannot be written.
        """
        if self._writer is None:
            self._open(frame)
        while len(self._pending) >= _WAITING:
            self._pending.popleft().result()
        self._pending.append(self._encoder.submit(self._encode, frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; a video without frames leaves no file.

        Raises
        ------
        ImageError
            The file does not hold all frames, and is removed.
        """
        try:
            self._finish()
            if self.frames:
                stored = frame_count(self._beside)
                if stored < self.frames:
                    detail = f"{stored} of {self.frames} frames are stored; expected more space on the disk"
                    raise ImageError(f"{self.path}: cannot be written: {detail}")
                self._beside.replace(self.path)
        except OSError as error:
            raise ImageError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        finally:
            self._remove()

    def abandon(self) -> None:
        """Discard the file."""
        with suppress(Exception):
            self._finish()
        self._remove()

    def _open(self, frame: NDArray[np.uint8]) -> None:
        height, width = frame.shape[:2]
        if min(width, height) < _SHORTEST_SIDE:
            raise ImageError(
                f"{self.path}: frames of {width}x{height} pixels; expected at least {_SHORTEST_SIDE} a side for a video"
            )
        try:
            self._beside.touch()  # the reason, which OpenCV does not give
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
        self._size = (width - width % 2, height - height % 2)  # colours are stored for 2x2 pixels
        self._writer = open_writer(self._beside, fps=self._fps, size=self._size)
        if self._writer is None:
            self._remove()
            raise ImageError(f"{self.path}: this OpenCV has no encoder for H.264 or MPEG-4 in .mp4 files")

    def _encode(self, frame: NDArray[np.uint8]) -> None:
        import cv2

        width, height = self._size
        if frame.shape[1] - width not in (0, 1) or frame.shape[0] - height not in (0, 1):
            frame = np.asarray(cv2.resize(frame, self._size), np.uint8)
        with silent():  # a full disk, which `close` reports
            self._writer.write(np.ascontiguousarray(frame[:height, :width]))

    def _finish(self) -> None:
        """Wait for the encoder and close its file."""
        self._encoder.shutdown(wait=True)
        writer, self._writer = self._writer, None
        if writer is not None:
            with silent():
                writer.release()
        while self._pending:
            self._pending.popleft().result()

    def _remove(self) -> None:
        with suppress(OSError, ValueError):
            self._beside.unlink()
