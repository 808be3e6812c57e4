"""The pipeline of frames: reading, network and the caller's work overlap, order is kept, memory is bounded."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import perf_counter

from yolodsc.detection.detections import Detections
from yolodsc.detection.pipeline import Pipeline
from yolodsc.detection.video.frames import FrameSource, VideoFrame
from yolodsc.images import from_array

_WAITING = 4
"""Frames that are read ahead of the network, beyond those in it."""

_POLL = 0.1
"""Seconds after which a reader that waits for the caller checks whether it should stop."""

_PATIENCE = 2.0
"""Seconds that a reader gets to end; one that waits for a camera or server for longer is left to its time limit."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """The result of one frame.

    Attributes
    ----------
    frame
        The frame.
    detections
        Its detections, with number and time of the frame.
    seconds
        Time of the network and of everything after it, without reading and fitting.
    """

    frame: VideoFrame
    detections: Detections
    seconds: float


def detect_frames(pipeline: Pipeline, source: FrameSource) -> Generator[FrameResult]:
    """Yield the results of all frames in their order.

    One thread reads frames; further threads fit them and run the network, as many as it has streams. If the source is live, frames
    that arrive while all of them are busy are dropped, so that results are never late.

    Raises
    ------
    ImageError
        The source ended with an error; earlier frames have been yielded.
    """
    streams = pipeline.runner.streams
    results: Queue[Future[FrameResult] | None] = Queue(streams + _WAITING)
    stopped = Event()
    with ThreadPoolExecutor(streams, "frames") as workers:
        reading = (pipeline, source, workers, results, stopped)
        reader = Thread(target=_read, args=reading, name="video", daemon=True)
        reader.start()
        try:
            while (future := results.get()) is not None:
                yield future.result()
                del future
        finally:
            stopped.set()
            source.stop()
            _cancel(results)
            reader.join(_PATIENCE)


def _read(
    pipeline: Pipeline,
    source: FrameSource,
    workers: ThreadPoolExecutor,
    results: "Queue[Future[FrameResult] | None]",
    stopped: Event,
) -> None:
    """Submit frames in their order until the source ends."""
    try:
        for frame in source:
            if source.live and results.full():
                continue
            if stopped.is_set() or not _put(results, workers.submit(_processed, pipeline, frame, source.name), stopped):
                return
    except BaseException as error:  # the caller's thread raises it
        failure: Future[FrameResult] = Future()
        failure.set_exception(error)
        _put(results, failure, stopped)
    finally:
        _put(results, None, stopped)


def _put(results: "Queue[Future[FrameResult] | None]", entry: "Future[FrameResult] | None", stopped: Event) -> bool:
    """Wait until the caller takes results; False if it does not any more."""
    while not stopped.is_set():
        with suppress(Full):
            results.put(entry, timeout=_POLL)
            return True
    return False


def _cancel(results: "Queue[Future[FrameResult] | None]") -> None:
    """Cancel the frames whose processing has not begun."""
    with suppress(Empty):
        while True:
            future = results.get_nowait()
            if future is not None:
                future.cancel()


def _processed(pipeline: Pipeline, frame: VideoFrame, name: str) -> FrameResult:
    given = pipeline.reader.fit(from_array(frame.image, channels=pipeline.reader.network.input_shape.channels))
    start = perf_counter()
    detections = replace(pipeline.one(given, path=name), frame=frame.number, time_ms=frame.time_ms)
    return FrameResult(frame, detections, perf_counter() - start)
