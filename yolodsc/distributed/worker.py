"""What runs on a worker: a detector for each package, compiled once for each process, and the chunks that it processes."""

import os
from threading import Lock, Semaphore
from time import perf_counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from yolodsc.detection import ImageResult, is_address
from yolodsc.errors import ImageError, OptionError
from yolodsc.files import resolved
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import Detector
    from yolodsc.distributed.chunks import Chunk
    from yolodsc.distributed.package import DetectorPackage
    from yolodsc.distributed.parquet.parts import PartFolder

CONCURRENT_CHUNKS = 2
"""Chunks that a process works on at a time: while one ends, the other keeps the cores busy."""


class ChunkOutcome(Value, eq=False):
    """The results of one chunk, the worker's address, and how long it took in seconds without the compilation of kernels."""

    packed: Any
    worker: str
    seconds: float


class Resident:
    """A package on a worker, and its detector once a chunk has needed it.

    Parameters
    ----------
    package
        The package.
    address
        The worker's address, for messages.
    cores
        Threads of the worker.
    """

    def __init__(self, package: "DetectorPackage", address: str, cores: int) -> None:
        self.package, self.address, self.cores = package, address, cores
        self.turn = Semaphore(min(cores, CONCURRENT_CHUNKS))
        self._lock = Lock()
        self._detector: Detector | None = None

    @property
    def detector(self) -> "Detector":
        """The detector, compiled at the first use; an `OptionError` if this process has another version of yolodsc."""
        with self._lock:
            if self._detector is None:
                ensure_version(self.package.version, self.address)
                self._detector = self.package.build(self.cores)
            return self._detector

    def close(self) -> None:
        """Release the detector's threads and memory."""
        with self._lock:
            if self._detector is not None:
                self._detector.close()
                self._detector = None


_residents: dict[tuple[str, str], Resident] = {}
"""By digest and address of the worker: threads of one process may be several workers."""


def keep(package: "DetectorPackage", address: str, cores: int) -> None:
    """Keep a package; its network is compiled with the first chunk, so that the worker's event loop is not blocked."""
    _residents[package.digest, address] = Resident(package, address, cores)


def drop(digest: str, address: str) -> None:
    """Drop a package and its detector."""
    resident = _residents.pop((digest, address), None)
    if resident is not None:
        resident.close()


def run_chunk(chunk: "Chunk", digest: str, options: dict[str, Any], parts: "PartFolder | None", images: bool) -> ChunkOutcome:
    """Detect objects in the images of a chunk; the task of the cluster.

    Parameters
    ----------
    digest
        The package.
    options
        Of `Detector.many`.
    parts
        Where the results are written as one file; None writes nothing.
    images
        Send the images too.
    """
    from distributed import get_worker

    from yolodsc.distributed.wire import pack

    address = get_worker().address
    resident = _resident(digest, address)
    if parts is not None:
        parts.ensure_shared(address)
    detector = resident.detector
    with resident.turn:
        start = perf_counter()
        located = located_paths(chunk)
        found = zip(chunk.paths, detector.many(located, **options), strict=True)
        results = [_named(result if images else without_image(result), path) for path, result in found]
        seconds = perf_counter() - start
    if parts is not None:
        parts.write(chunk, results)
    return ChunkOutcome(pack(results, images=images), address, seconds)


def ensure_version(expected: str, address: str) -> None:
    """Raise an `OptionError` if this process has another version of yolodsc than the client."""
    import yolodsc

    if yolodsc.__version__ != expected:
        raise OptionError(f"worker {address}: yolodsc {yolodsc.__version__}; expected {expected}, the version of this process")


def _resident(digest: str, address: str) -> Resident:
    """The package of a digest; a `RuntimeError` if it has not arrived, upon which the chunk is retried."""
    resident = _residents.get((digest, address))
    if resident is None:
        raise RuntimeError(f"worker {address}: the network has not arrived")
    return resident


def located_paths(chunk: "Chunk") -> list[str]:
    """The paths of a chunk as this process must open them: relative ones are relative to the client's working directory."""
    if chunk.folder == str(resolved(".")):
        return list(chunk.paths)
    return [path if is_address(path) else os.path.join(chunk.folder, path) for path in chunk.paths]  # noqa: PTH118 text stays text


def _named(result: "ImageResult", path: str) -> "ImageResult":
    """The result under the path that the client has given."""
    if result.path == path:
        return result
    if result.detections is None:
        return ImageResult(path, error=ImageError(str(result.error).replace(result.path, path, 1)))
    return replace(result, path=path, detections=replace(result.detections, path=path))


def without_image(result: "ImageResult") -> "ImageResult":
    """The result without its image, which can be released at once."""
    found = result.detections
    return replace(result, image=None, detections=None if found is None else found.without_image())
