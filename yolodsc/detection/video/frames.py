"""`VideoFrame` and the interface of everything that has frames."""

from collections.abc import Callable, Iterator
from typing import Protocol

from yolodsc.detection.video.buffers import FrameBuffers
from yolodsc.images import ImageArray

Report = Callable[[str], None]
"""Receives one line about a broken frame or a dropped stream."""


class VideoFrame:
    """A frame of a video.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        The frame as it was decoded.
    number
        Number in the video, from 1; frames that are skipped count. None for an image that was read from a URL.
    time_ms
        Time since the start of the video, or since a camera or stream was opened.
    rgb
        Buffers for the frame in RGB, if ``pixels`` are in BGR order.
    """

    __slots__ = ("_pixels", "_rgb", "number", "time_ms")

    def __init__(
        self, pixels: ImageArray, number: int | None = None, time_ms: float | None = None, *, rgb: FrameBuffers | None = None
    ) -> None:
        self._pixels, self.number, self.time_ms, self._rgb = pixels, number, time_ms, rgb

    @property
    def decoded(self) -> tuple[ImageArray, bool]:
        """The pixels (H, W, 3), and whether they are in BGR order: until `image` is used."""
        return self._pixels, self._rgb is not None

    @property
    def image(self) -> ImageArray:
        """The frame (H, W, 3) in RGB."""
        self.convert()
        return self._pixels

    def convert(self) -> None:
        """Convert the frame to RGB unless that is done; one thread at a time may do so."""
        if self._rgb is not None:
            self._pixels, self._rgb = self._rgb.converted(self._pixels), None


class FrameSource(Protocol):
    """Yields frames in their order; used by one thread.

    Attributes
    ----------
    name
        As shown and stored, without credentials.
    fps
        Frames a second that the source yields.
    count
        Number of frames that the source yields; None if it is unknown.
    live
        Frames that nobody takes in time are lost: cameras and streams.
    failed
        Whether the source ended too early.
    """

    name: str
    fps: float
    count: int | None
    live: bool
    failed: bool

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames; an `ImageError` ends them."""
        ...

    def stop(self) -> None:
        """Make the iteration end soon; may be called from another thread."""
        ...
