"""How `detect` processes images: in this process or on workers, in parts or not, with or without their images."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from yolodsc.cli.cluster import StreamingClusterOptions
from yolodsc.cli.parquet import ParquetOptions
from yolodsc.detection import is_clip, names_image
from yolodsc.errors import OptionError
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import Detector, ImageResult, ModelFiles, Sources


class ImageRun(Value, kw_only=True):
    """The options of a run over images.

    Attributes
    ----------
    files
        Of the network.
    parts, cluster
        The options.
    images
        Whether a writer uses the images.
    """

    files: "ModelFiles"
    parts: ParquetOptions
    cluster: StreamingClusterOptions
    images: bool

    def check(self, sources: "Sources") -> None:
        """Raise an error, before any work begins, for options or sources that cannot be used."""
        self.parts.check()
        self.cluster.check(chunks=self.parts.parquet is not None)
        self.parts.ensure_no_clips(sources)

    def ensure_none(self) -> None:
        """Raise an `OptionError` if an option is given: classifiers run in this process."""
        for option, value in (("--scheduler", self.cluster.scheduler), ("--parquet", self.parts.parquet)):
            if value is not None:
                raise OptionError(f"{option} is for detectors; this network is a classifier")

    def is_clip(self, source: str) -> bool:
        """Whether a source has frames; addresses that end like an image have none on workers and in Parquet files."""
        still = self.cluster.scheduler is not None or self.parts.parquet is not None
        return is_clip(source) and not (still and names_image(source))

    def running(self, detector: "Detector", sources: "Sources", *, quiet: bool) -> AbstractContextManager["Detector"]:
        """The detector, in this process or on workers."""
        ordered = not self.cluster.unordered
        return self.cluster.running(detector, total=sources.count, images=self.images, ordered=ordered, quiet=quiet)

    def results(self, detector: "Detector", paths: Iterable[str]) -> "Iterator[ImageResult]":
        """The results of images."""
        return self.parts.results(detector, paths, files=self.files, chunk=self.cluster.chunk, images=self.images)
