"""Calibration images that workers read and fit: the inputs of a network without the network."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from yolodsc.arrays import Array
from yolodsc.detection import InputReader
from yolodsc.distributed.chunks import Chunk, chunked
from yolodsc.distributed.stream import ChunkStream, FailedChunk
from yolodsc.distributed.worker import ChunkOutcome, located_paths
from yolodsc.errors import ImageError

if TYPE_CHECKING:
    from distributed import Client

INPUT_CHUNK = 8
"""Images of a chunk: inputs are large, some megabytes each."""


def read_on_workers(
    client: "Client",
    reader: InputReader,
    paths: Iterable[str],
    *,
    chunk: int | None = None,
    limit: float | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Generator[Array]:
    """Yield the network's inputs (C, H, W) for many files in their order.

    Parameters
    ----------
    client
        Connected to the scheduler.
    reader
        Only the shape of the input and the profile of its network are sent.
    chunk, limit, report
        As for `DistributedOptions`.

    Raises
    ------
    ImageError
        A file cannot be read; the inputs of the chunks before it have been yielded.
    """
    bare = replace(reader, network=replace(reader.network, layers=(), weights=()), progress=None)
    submit = partial(_submit, client, bare, f"yolodsc-inputs-{id(reader):x}-{time()}")
    stream = ChunkStream(client, submit, limit=limit, report=report)
    with closing(stream.run(chunked(paths, chunk or INPUT_CHUNK))) as outcomes:
        for part, outcome in outcomes:
            if outcome is None or isinstance(outcome, FailedChunk):
                raise ImageError(f"{part.paths[0]}: {outcome.reason if outcome else 'not read'}")
            if isinstance(outcome.packed, str):
                raise ImageError(outcome.packed)
            yield from outcome.packed


def _submit(client: "Client", reader: InputReader, run: str, chunk: Chunk, attempt: int) -> Any:
    return client.submit(read_chunk, chunk, reader, key=(run, chunk.number, attempt), pure=False)


def read_chunk(chunk: Chunk, reader: InputReader) -> ChunkOutcome:
    """Read and fit the images of a chunk: (N, C, H, W), or the message of the first that cannot be read."""
    from distributed import get_worker

    start, address = perf_counter(), get_worker().address
    inputs = np.empty((len(chunk.paths), *reader.network.input_shape), np.float32)
    for given, located, x in zip(chunk.paths, located_paths(chunk), inputs, strict=True):
        try:
            reader.read(located, out=x)
        except ImageError as error:
            return ChunkOutcome(str(error).replace(located, given, 1), address, perf_counter() - start)
    return ChunkOutcome(inputs, address, perf_counter() - start)
