"""`VideoFrame` and the interface of everything that has frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from yolodsc.images import ImageArray

Report = Callable[[str], None]
"""Receives one line about a broken frame or a dropped stream."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """A frame of a video.

    Attributes
    ----------
    image : (H, W, 3) uint8
        RGB.
    number
        Number in the video, from 1; frames that are skipped count. None for an image that was read from a URL.
    time_ms
        Time since the start of the video, or since a camera or stream was opened.
    """

    image: ImageArray
    number: int | None = None
    time_ms: float | None = None


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
