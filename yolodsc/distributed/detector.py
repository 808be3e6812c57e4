"""`DistributedDetector`: a detector whose `many` runs on the workers of a Dask client."""

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Sized
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from msgspec.structs import replace

from yolodsc.detection import CallOptions, Detector, ImageResult
from yolodsc.distributed.chunks import DEFAULT_CHUNK, Chunk, chunked
from yolodsc.distributed.package import DetectorPackage
from yolodsc.distributed.parquet.parts import PartFolder
from yolodsc.distributed.stream import ChunkStream, FailedChunk, Outcome
from yolodsc.distributed.versions import ensure_same_version
from yolodsc.distributed.wire import unpack
from yolodsc.distributed.worker import run_chunk
from yolodsc.errors import ImageError, OptionError
from yolodsc.files import is_file
from yolodsc.values import Value

if TYPE_CHECKING:
    from distributed import Client, Future

_NO_FILE = ": no such file"
"""The end of the message for an image that does not exist."""

CHUNKS_PER_THREAD = 8
"""Chunks for each thread of a small run: fewer would leave workers idle while the last ones run."""


class DistributedOptions(Value, kw_only=True):
    """How chunks run.

    Attributes
    ----------
    chunk
        Images of a chunk; None selects `DEFAULT_CHUNK`, and fewer for small runs.
    ordered
        Return results in the order of the images, else as they come.
    images
        Return the images too.
    limit
        Seconds without a finished chunk after which a worker is taken to hang; None derives them from measured times.
    report
        Called with a line about each worker that leaves or hangs, and each chunk that is repeated.
    finished
        Called with the worker's address and the number of images for each chunk that arrives.
    """

    chunk: int | None = None
    ordered: bool = True
    images: bool = False
    limit: float | None = None
    report: Callable[[str], None] = lambda line: None
    finished: Callable[[str, int], None] = lambda worker, images: None


class DistributedDetector(Detector):
    """A detector whose `many` runs on workers; everything else runs in this process.

    Parameters
    ----------
    local
        The detector that the workers copy. Both share their state.
    client
        Connected to the scheduler.
    options
        How chunks run.
    """

    def __init__(self, local: Detector, client: "Client", options: DistributedOptions | None = None) -> None:
        vars(self).update(vars(local))
        self.client, self.distribution = client, options or DistributedOptions()
        self._runs = 0

    def many(self, images: Iterable[Any], *, bgr: bool | None = None, **options: Unpack[CallOptions]) -> Generator[ImageResult]:
        """Detect objects in many images on the workers, in their order unless ``ordered`` is false.

        Parameters and results are those of `Detector.many`, but images are paths and addresses, which workers can open; results
        have no images unless `DistributedOptions.images` is set; and of the candidates those that became detections.

        Raises
        ------
        OptionError
            An entry is no path, the scheduler is lost, or a worker cannot run the network.
        """
        del bgr
        chunks = chunked(images, self.chunk_size(len(images) if isinstance(images, Sized) else None))
        with closing(self.outcomes(chunks, **options)) as outcomes:
            for _, results in outcomes:
                yield from results

    def chunk_size(self, images: int | None) -> int:
        """Images of a chunk for a number of images, if it is known: chunks of small runs are smaller, so that no worker is idle."""
        if self.distribution.chunk is not None:
            return self.distribution.chunk
        threads = max(sum(self.client.nthreads().values()), 1)
        return DEFAULT_CHUNK if images is None else min(max(images // (threads * CHUNKS_PER_THREAD), 1), DEFAULT_CHUNK)

    def outcomes(
        self,
        chunks: Iterable[Chunk],
        *,
        parts: PartFolder | None = None,
        done: Collection[int] = (),
        **options: Unpack[CallOptions],
    ) -> Generator[tuple[Chunk, list[ImageResult]]]:
        """Yield every chunk with the results of its images.

        Parameters
        ----------
        parts
            Where the workers write the results of each chunk too.
        done
            Numbers of chunks whose results are read from ``parts``.
        """
        from yolodsc.distributed.shipping import ShipPackage

        self._postprocessor(**options)
        package = DetectorPackage.of(self)
        self.client.register_plugin(ShipPackage(package))
        self._runs += 1
        submit = partial(self._submit, f"yolodsc-{package.digest[:8]}-{id(self):x}-{self._runs}", package.digest, options, parts)
        setting = self.distribution
        stream = ChunkStream(self.client, submit, ordered=setting.ordered, limit=setting.limit, report=setting.report)
        with closing(stream.run(chunks, skip=done)) as outcomes:
            for chunk, outcome in outcomes:
                if outcome is not None:
                    yield chunk, self._results(chunk, outcome)
                elif parts is not None:
                    yield chunk, list(parts.read(chunk))

    def _submit(self, run: str, digest: str, options: Any, parts: PartFolder | None, chunk: Chunk, attempt: int) -> "Future":
        key = (run, chunk.number, attempt)
        return self.client.submit(run_chunk, chunk, digest, options, parts, self.distribution.images, key=key, pure=False)

    def _results(self, chunk: Chunk, outcome: Outcome) -> list[ImageResult]:
        if isinstance(outcome, FailedChunk):
            return [ImageResult(path, error=ImageError(f"{path}: {outcome.reason}")) for path in chunk.paths]
        self.distribution.finished(outcome.worker, len(chunk.paths))
        results = list(unpack(outcome.packed, chunk.paths, self.names))
        return [_explained(result, outcome.worker) for result in self._ensure_visible(results, outcome.worker)]

    def _ensure_visible(self, results: list[ImageResult], worker: str) -> list[ImageResult]:
        """Raise an `OptionError` if a worker sees none of the files of a chunk, and this machine sees them."""
        if len(results) > 1 and all(_is_missing(result) for result in results) and is_file(results[0].path):
            raise OptionError(
                f"worker {worker}: no file {results[0].path}, nor the other {len(results) - 1} of its chunk; "
                "expected the paths of this machine on every worker"
            )
        return results


def _is_missing(result: ImageResult) -> bool:
    return result.error is not None and str(result.error).endswith(_NO_FILE)


def _explained(result: ImageResult, worker: str) -> ImageResult:
    """The result, whose error names the worker if the file exists on this machine only."""
    if not _is_missing(result) or not is_file(result.path):
        return result
    return replace(result, error=ImageError(f"{result.path}: no such file on worker {worker}; expected the path on every worker"))


def map_paths(
    detector: Detector, paths: Iterable[Any], client: "Client", *, chunk: int | None, ordered: bool, **options: Unpack[CallOptions]
) -> Generator[ImageResult]:
    """Detect objects in many images on the workers of a client, whose versions are checked first; see `Detector.map`."""
    ensure_same_version(client)
    report = logging.getLogger("yolodsc").warning
    return DistributedDetector(detector, client, DistributedOptions(chunk=chunk, ordered=ordered, report=report)).many(
        paths, **options
    )
