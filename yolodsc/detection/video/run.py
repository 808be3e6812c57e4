"""The pipeline of frames: reading, network and the caller's work overlap, order is kept, memory is bounded."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count

from msgspec.structs import replace

from yolodsc.detection.detections import Detections
from yolodsc.detection.pipeline import Pipeline
from yolodsc.detection.video.feed import Feed
from yolodsc.detection.video.frames import FrameSource, VideoFrame
from yolodsc.images import from_array
from yolodsc.values import Value

_WAITING = 2
"""Results of a video that wait for the caller."""


class FrameResult(Value, eq=False):
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


def detect_frames(pipeline: Pipeline, source: FrameSource, *, images: bool = True) -> Generator[FrameResult]:
    """Yield the results of all frames in their order, with frames that are already in RGB if ``images``.

    As many threads as the network has streams each take the next frame, decode it, and run the network on it: with a further
    thread that only decodes, there would be more threads than cores. If the source is live, frames that arrive while all threads
    are busy are dropped, so that results are never late.

    Raises
    ------
    ImageError
        The source ended with an error; earlier frames have been yielded.
    """
    streams = pipeline.runner.streams
    feed = Feed(source)

    def processed(number: int) -> FrameResult | None:
        frame = feed.take(number)
        return None if frame is None else _processed(pipeline, frame, source.name, images=images)

    numbers = count()
    waiting: deque[Future[FrameResult | None]] = deque()
    workers = ThreadPoolExecutor(streams, "frames")
    try:
        while True:
            while len(waiting) < streams + (0 if source.live else _WAITING):
                waiting.append(workers.submit(processed, next(numbers)))
            result = waiting.popleft().result()
            if result is None:
                return
            yield result
            del result
    finally:
        feed.stop()
        workers.shutdown(cancel_futures=True)
        feed.close()


def _processed(pipeline: Pipeline, frame: VideoFrame, name: str, *, images: bool) -> FrameResult:
    if images:
        frame.convert()  # first, while the caches hold the frame
    channels = pipeline.reader.network.input_shape.channels
    pixels, bgr = frame.decoded if channels == 3 else (from_array(frame.image, channels=channels), False)
    detections, stages = pipeline.of_pixels(pixels, path=name, bgr=bgr)
    return FrameResult(frame, replace(detections, frame=frame.number, time_ms=frame.time_ms), stages.network + stages.post)
