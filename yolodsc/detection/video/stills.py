"""Frames that Pillow reads: animated GIF and WebP, and images behind URLs."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np

from yolodsc.detection.video.frames import VideoFrame
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray, open_image

_DEFAULT_MS = 100.0
"""Time of a frame without a duration, as in browsers."""

_SAMPLED = 50
"""Frames whose durations give the frame rate."""


class AnimationSource:
    """Frames of an animated GIF or WebP file; see `FrameSource` for the attributes.

    Raises
    ------
    ImageError
        The file cannot be read.
    """

    live = False

    def __init__(self, path: str, *, vid_stride: int = 1) -> None:
        self.name, self._stride, self.failed = path, vid_stride, False
        self._stopped = Event()
        try:
            with open_image(path) as image:
                frames = getattr(image, "n_frames", 1)
                durations = []
                for number in range(min(frames, _SAMPLED)):
                    image.seek(number)
                    image.load()
                    durations.append(_duration(image.info))
        except ImageError:
            raise
        except Exception as error:  # decoders raise errors of any class
            raise ImageError(f"{path}: cannot be read as an animation: {error or type(error).__name__}") from None
        self.count: int | None = -(-frames // vid_stride)
        self.fps = 1000 / median(durations) / vid_stride

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames as they are shown, without transparency."""
        time_ms = 0.0
        with open_image(self.name) as image:
            for number in count():
                try:
                    image.seek(number)
                    pixels = np.array(image.convert("RGB"))
                except EOFError:
                    return
                except Exception as error:  # decoders raise errors of any class
                    raise ImageError(f"{self.name}: frame {number + 1} cannot be read: {error or type(error).__name__}") from None
                if self._stopped.is_set():
                    return
                if number % self._stride == 0:
                    yield VideoFrame(pixels, number + 1, time_ms)
                time_ms += _duration(image.info)

    def stop(self) -> None:
        """End the iteration before the next frame."""
        self._stopped.set()


class DownloadedImage:
    """The single frame of an image that was downloaded; see `FrameSource` for the attributes."""

    live = False
    count: int | None = 1

    def __init__(self, name: str, content: bytes, *, suffix: str, read: Callable[[Path], ImageArray]) -> None:
        self.name, self.fps, self.failed = name, 1.0, False
        with TemporaryDirectory(prefix="yolodsc-") as folder:
            path = Path(folder) / f"image{suffix}"
            path.write_bytes(content)
            try:
                self._image = read(path)
            except ImageError as error:
                raise ImageError(str(error).replace(str(path), name)) from None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the image."""
        yield VideoFrame(self._image)

    def stop(self) -> None:
        """Do nothing: there is one frame."""


def _duration(info: dict[str | tuple[int, int], object]) -> float:
    """Milliseconds of a frame."""
    duration = info.get("duration")
    return float(duration) if isinstance(duration, int | float) and duration > 0 else _DEFAULT_MS
