"""Runs in parts: each chunk becomes a Parquet file, and chunks whose file exists are read instead of processed."""

from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from itertools import groupby

from msgspec.structs import replace

from yolodsc.detection import Detector, ImageResult
from yolodsc.distributed.chunks import Chunk
from yolodsc.distributed.detector import DistributedDetector
from yolodsc.distributed.parquet.parts import PartFolder
from yolodsc.distributed.worker import without_image
from yolodsc.errors import ImageError


def many_in_parts(
    detector: Detector, chunks: Iterable[Chunk], parts: PartFolder, done: Collection[int], *, images: bool = False
) -> Generator[ImageResult]:
    """Yield the results of all chunks; those of chunks that are done come from their files.

    Parameters
    ----------
    detector
        Processes the other chunks, in this process or on workers.
    done
        Numbers of the chunks whose files exist, as `PartFolder.begin` returns them.
    images
        Read the images of chunks that are done, for writers that need them.
    """
    if isinstance(detector, DistributedDetector):
        with closing(detector.outcomes(chunks, parts=parts, done=done)) as outcomes:
            for chunk, results in outcomes:
                yield from _with_images(detector, results) if images and chunk.number in done else results
        return
    for stored, group in groupby(chunks, key=lambda chunk: chunk.number in done):
        if stored:
            read = (result for chunk in group for result in parts.read(chunk))
            yield from _with_images(detector, read) if images else read
        else:
            yield from _processed(detector, group, parts)


def _processed(detector: Detector, chunks: Iterable[Chunk], parts: PartFolder) -> Iterator[ImageResult]:
    """Yield the results of chunks as they come, and write the file of a chunk with its last one."""
    waiting: deque[Chunk] = deque()
    collected: list[ImageResult] = []

    def paths() -> Iterator[str]:
        for chunk in chunks:
            waiting.append(chunk)
            yield from chunk.paths

    with closing(detector.many(paths())) as results:
        for result in results:
            collected.append(without_image(result))
            if len(collected) == len(waiting[0].paths):
                parts.write(waiting.popleft(), collected)
                collected = []
            yield result


def _with_images(detector: Detector, results: Iterable[ImageResult]) -> Iterator[ImageResult]:
    """The results with images that are read again."""
    for result in results:
        try:
            yield result if result.detections is None else replace(result, image=detector.reader.read(result.path).image)
        except ImageError as error:
            yield ImageResult(result.path, error=error)
