"""The detection pipeline: read, fit, network, decode, suppress. `Detector` and the evaluation both run it."""

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from time import perf_counter

from yolodsc.detection.detections import Detections
from yolodsc.detection.network_input import InputReader, NetworkInput
from yolodsc.detection.postprocess import HeadDecoding, Maps, Postprocessor
from yolodsc.detection.read_ahead import Ticket, in_order
from yolodsc.engine import Runner, available_cores
from yolodsc.errors import ImageError, YolodscError
from yolodsc.images import ImageArray
from yolodsc.network import Candidates
from yolodsc.values import Value

READ_AHEAD = 4
"""Images that are processed ahead of the caller, beyond those in work; fewer if they are large (`read_ahead.MAX_BYTES`)."""


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

    def __repr__(self) -> str:
        return f"ImageResult({self.error or self.detections})"

    @property
    def seconds(self) -> float:
        """Time of the network and of everything after it, without reading."""
        return self.stages.network + self.stages.post


class Pipeline(Value, eq=False):
    """A network between its reader and its postprocessor; several threads may use it.

    Attributes
    ----------
    reader
        Makes the network's input.
    runner
        Runs the network.
    decoding
        Decodes the network's outputs.
    postprocessor
        Thresholds and classes of the detections.
    """

    reader: InputReader
    runner: Runner
    decoding: HeadDecoding
    postprocessor: Postprocessor

    def one(self, given: NetworkInput, *, path: str | None = None) -> Detections:
        """Return the detections of one image."""
        with self.decoding.maps() as maps:
            self.runner.run_into(given.x, maps.outputs)
            return self._detected(given, maps, path)[0]

    def many(self, paths: Iterable[str]) -> Generator[ImageResult]:
        """Return the results of many files in their order.

        Each of a few threads takes one image from its file to its detections, so that reading, the network, decoding and the
        caller's work overlap. A file that cannot be read gives a result with an error.
        """
        workers = self._workers
        with ThreadPoolExecutor(workers, "image") as pool:

            def begin(path: str, ticket: Ticket) -> "Future[ImageResult]":
                return pool.submit(self._process, path, ticket)

            with closing(in_order(paths, begin, depth=READ_AHEAD + workers)) as results:
                yield from results

    @property
    def _workers(self) -> int:
        """One thread for each stream, and one more to read images if the network's threads leave it a core, or need several."""
        runner = self.runner
        return runner.streams + (runner.threads > 1 or runner.streams < available_cores())

    def _process(self, path: str, ticket: Ticket) -> ImageResult:
        with self.decoding.maps() as maps:
            try:
                with ticket:
                    given = self.reader.read(path, ticket=ticket, out=maps.x)
            except ImageError as error:
                return ImageResult(path, error=error)
            detections, candidates, stages = self._run(given, maps, path)
        return ImageResult(path, detections, candidates, given.image, stages=stages)

    def of_pixels(self, pixels: ImageArray, *, path: str, bgr: bool = False) -> tuple[Detections, StageSeconds]:
        """Return the detections of an image in memory (H, W, C), with the network's number of channels, in BGR order if ``bgr``."""
        with self.decoding.maps() as maps:
            detections, _, stages = self._run(self.reader.fit(pixels, out=maps.x, bgr=bgr), maps, path)
        return detections, stages

    def _run(self, given: NetworkInput, maps: Maps, path: str) -> tuple[Detections, Candidates, StageSeconds]:
        start = perf_counter()
        self.runner.run_into(given.x, maps.outputs)
        middle = perf_counter()
        detections, candidates = self._detected(given, maps, path)
        return detections, candidates, StageSeconds(given.seconds, middle - start, perf_counter() - middle)

    def _detected(self, given: NetworkInput, maps: Maps, path: str | None) -> tuple[Detections, Candidates]:
        height, width = given.image.shape[:2]
        return self.decoding(self.runner, maps, self.postprocessor, given.placement, width=width, height=height, path=path)
