"""Frames for several threads: each takes the next frame in its turn; of live sources the most recent one."""

from collections.abc import Iterator
from threading import Condition, Thread

from yolodsc.detection.video.frames import FrameSource, VideoFrame

_PATIENCE = 2.0
"""Seconds that the reader of a live source gets to end; one that waits for a camera or server is left to its time limit."""


class Feed:
    """Hands out frames to threads.

    Parameters
    ----------
    source
        Its frames are read by the threads that take them. A thread of its own reads a live source, all of whose frames must be
        fetched, and keeps the most recent one.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._latest = LatestFrames(source) if source.live else None
        self._frames: Iterator[VideoFrame] = iter(source) if self._latest is None else self._latest
        self._changed = Condition()
        self._turn = 0
        self._ended = False

    def take(self, number: int) -> VideoFrame | None:
        """Return the frame of the task ``number``, which waits until all tasks before it have theirs; None after the last frame.

        Raises
        ------
        ImageError
            The source ended with an error; further calls return None.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._turn == number or self._ended)
            try:
                frame = None if self._ended else next(self._frames, None)
            except BaseException:
                self._ended = True
                raise
            finally:
                self._turn += 1
                self._changed.notify_all()
            self._ended = self._ended or frame is None
            return frame

    def stop(self) -> None:
        """Make `take` return None soon."""
        self._source.stop()
        if self._latest is not None:
            self._latest.stop()

    def close(self) -> None:
        """Release the source, after all threads that take frames have ended."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()


class LatestFrames:
    """The most recent frame of a source that a thread reads; frames that nobody takes in time are dropped."""

    def __init__(self, source: FrameSource) -> None:
        self._changed = Condition()
        self._frame: VideoFrame | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._reader = Thread(target=self._read, args=(source,), name="video", daemon=True)
        self._reader.start()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self

    def __next__(self) -> VideoFrame:
        """Wait for a frame that has not been taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended)
            frame, self._frame = self._frame, None
            if frame is not None:
                return frame
            error, self._error = self._error, None
        raise error or StopIteration

    def stop(self) -> None:
        """End the iteration at once."""
        with self._changed:
            self._frame, self._ended = None, True
            self._changed.notify_all()

    def close(self) -> None:
        """Wait for the thread, within limits."""
        self._reader.join(_PATIENCE)

    def _read(self, source: FrameSource) -> None:
        try:
            for frame in source:
                with self._changed:
                    if self._ended:
                        return
                    self._frame = frame
                    self._changed.notify_all()
        except BaseException as error:  # the thread that takes the next frame raises it
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
