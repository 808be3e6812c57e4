"""The detection pipeline: read, fit, network, decode, suppress. `Detector` and the evaluation both run it."""

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from time import perf_counter

from yolodsc.arrays import Array
from yolodsc.detection.detections import Detections
from yolodsc.detection.network_input import InputReader, NetworkInput
from yolodsc.detection.postprocess import Postprocessor
from yolodsc.detection.read_ahead import Ticket, in_order
from yolodsc.engine import Runner
from yolodsc.errors import ImageError, YolodscError
from yolodsc.images import ImageArray
from yolodsc.network import Candidates
from yolodsc.values import Value

READ_AHEAD = 4
"""Images that are read ahead of the network, beyond those in it; fewer if they are large (`read_ahead.MAX_BYTES`)."""

READERS = 2
"""Minimum number of threads that read images."""


class StageSeconds(Value):
    """Time of one image by stage: reading and fitting, the network, decoding and suppression."""

    read: float = 0.0
    network: float = 0.0
    post: float = 0.0


class ImageResult(Value, eq=False):
    """The result of one image.

    Attributes
    ----------
    path
        The file.
    detections, candidates, image
        Detections, the candidates before suppression that they index, and the image (H, W, C); None if the file cannot be read.
    error
        The reason in that case.
    stages
        Time by stage.
    """

    path: str
    detections: Detections | None = None
    candidates: Candidates | None = None
    image: ImageArray | None = None
    error: YolodscError | None = None
    stages: StageSeconds = StageSeconds()

    @property
    def seconds(self) -> float:
        """Time of the network and of everything after it, without reading."""
        return self.stages.network + self.stages.post


class Pipeline(Value, eq=False):
    """A network between its reader and its postprocessor.

    Attributes
    ----------
    reader
        Makes the network's input.
    runner
        Runs the network.
    postprocessor
        Makes detections of the network's outputs.
    """

    reader: InputReader
    runner: Runner
    postprocessor: Postprocessor

    def one(self, given: NetworkInput, *, path: str | None = None) -> Detections:
        """Return the detections of one image."""
        outputs = self.runner(given.x)
        return self._detected(given, outputs, path)[0]

    def many(self, paths: Iterable[str]) -> Generator[ImageResult]:
        """Return the results of many files in their order.

        Threads of their own read images ahead, run the network on as many images as it has streams, and decode its outputs; all of
        them overlap with the caller's work. A file that cannot be read gives a result with an error.
        """
        streams = self.runner.streams
        with (
            ThreadPoolExecutor(max(READERS, streams), "read") as readers,
            ThreadPoolExecutor(streams, "network") as workers,
            ThreadPoolExecutor(1, "post") as finisher,
        ):

            def begin(path: str, ticket: Ticket) -> "Future[Future[ImageResult]]":
                return workers.submit(self._run, path, readers.submit(self._read, path, ticket), finisher)

            with closing(in_order(paths, begin, depth=READ_AHEAD + streams)) as results:
                for result in results:
                    yield result.result()

    def _read(self, path: str, ticket: Ticket) -> NetworkInput:
        with ticket:
            return self.reader.read(path, ticket=ticket)

    def _run(self, path: str, reading: "Future[NetworkInput]", finisher: ThreadPoolExecutor) -> "Future[ImageResult]":
        try:
            given = reading.result()
        except ImageError as error:
            return finisher.submit(ImageResult, path, error=error)
        start = perf_counter()
        outputs = self.runner(given.x)
        return finisher.submit(self._finished, path, given, outputs, perf_counter() - start)

    def _finished(self, path: str, given: NetworkInput, outputs: dict[int, Array], network_seconds: float) -> ImageResult:
        start = perf_counter()
        detections, candidates = self._detected(given, outputs, path)
        stages = StageSeconds(given.seconds, network_seconds, perf_counter() - start)
        return ImageResult(path, detections, candidates, given.image, stages=stages)

    def _detected(self, given: NetworkInput, outputs: dict[int, Array], path: str | None) -> tuple[Detections, Candidates]:
        height, width = given.image.shape[:2]
        candidates = self.postprocessor.candidates(outputs, given.placement, width=width, height=height)
        return self.postprocessor.detections(candidates, width=width, height=height, path=path), candidates
