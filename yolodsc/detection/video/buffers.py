"""Buffers of frames that are used again: memory that is new to the process costs as much as a conversion of the frame."""

import sys
from threading import Lock

import numpy as np

from yolodsc.images import ImageArray, exchanged

_KEPT = 16
"""Maximum number of buffers; frames beyond them, which a caller keeps, have memory of their own."""

_UNUSED = 3
"""References to a buffer that only the list of buffers refers to: the list, the loop variable, and the argument of the count."""


class FrameBuffers:
    """Arrays (H, W, 3) for frames of one size.

    An array is used again when nothing else refers to it: neither the caller, nor a view, tensor or image that shares its memory.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._arrays: list[ImageArray] = []

    def take(self, shape: tuple[int, ...]) -> ImageArray:
        """An array of ``shape`` with any content."""
        with self._lock:
            if self._arrays and self._arrays[0].shape != shape:
                self._arrays.clear()
            for array in self._arrays:
                if sys.getrefcount(array) == _UNUSED:
                    return array
            new: ImageArray = np.empty(shape, np.uint8)
            if len(self._arrays) < _KEPT:
                self._arrays.append(new)
            return new

    def converted(self, frame: ImageArray) -> ImageArray:
        """A BGR frame (H, W, 3) as RGB, in one of the buffers."""
        image = self.take(frame.shape)
        exchanged(frame, image)
        return image
