"""`Detector.map`: many paths on the workers of a Dask client."""

from collections.abc import Generator, Iterable
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from yolodsc.detection.calls.selection import CallOptions
    from yolodsc.detection.pipeline import ImageResult


class ClusterMap:
    """The method of a detector that runs on a cluster."""

    def map(
        self,
        paths: Iterable[str | PathLike[str]],
        *,
        client: Any = None,
        chunk: int | None = None,
        ordered: bool = True,
        **options: "Unpack[CallOptions]",
    ) -> "Generator[ImageResult]":
        """Detect objects in many images on the workers of a Dask client.

        Parameters
        ----------
        paths
            Paths and addresses that all workers can open; may be an endless iterator.
        client : distributed.Client
            The network is sent to each of its workers once; without a client, the method is `many`.
        chunk
            Number of images that are sent together; by default 64, fewer if there are few.
        ordered
            Yield results in the order of the paths, else as they come.
        **options
            Those of a call.

        Yields
        ------
        ImageResult
            As `many` does, without images. A chunk that fails three times gives results with errors.

        Raises
        ------
        OptionError
            A worker has another version of yolodsc, sees none of the files, or the scheduler is lost.
        """
        if client is None:
            return self.many(paths, **options)  # type: ignore[attr-defined]
        distributed = import_module("yolodsc.distributed")  # a layer above, which only this call needs
        results: Generator[ImageResult] = distributed.map_paths(self, paths, client, chunk=chunk, ordered=ordered, **options)
        return results
