"""``--parquet`` and ``--resume`` of `detect`: results as Parquet files, from which a run resumes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from yolodsc.cli.declarations import option
from yolodsc.detection import names_image
from yolodsc.errors import OptionError
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import Detector, ImageResult, ModelFiles, Sources


class ParquetOptions(Value, kw_only=True):
    """Where results are written in parts."""

    parquet: Annotated[
        Path | None,
        option(metavar="DIR", help="Write a Parquet file for each chunk of images (extra 'parquet'), to resume from."),
    ] = None
    resume: Annotated[bool, option("--resume", help="Continue the run that --parquet holds.")] = False

    def check(self) -> None:
        """Raise an error for options that need each other, and without the library."""
        if self.resume and self.parquet is None:
            raise OptionError("--resume continues the run that --parquet DIR holds; expected both")
        if self.parquet is not None:
            from yolodsc.distributed import ensure_pyarrow

            ensure_pyarrow()

    def ensure_no_clips(self, sources: "Sources") -> None:
        """Raise an `OptionError` if a directory of parts is named and a source is a video, a camera or a stream."""
        if self.parquet is not None and sources.has_clips(except_for=names_image):
            raise OptionError(
                f"--parquet {self.parquet}: holds results of images; expected no videos, cameras or streams as SOURCE"
            )

    @property
    def advice(self) -> str:
        """How to go on after an interruption."""
        if self.parquet is None:
            return "--parquet DIR makes runs that can be resumed"
        return f"finished chunks are in {self.parquet}/; the same command with --resume continues"

    def kept(self, done: str) -> str:
        """What an interrupted run leaves, and how to go on if it can be resumed."""
        return done if self.parquet is None else f"{done}; {self.advice}"

    def results(
        self, detector: "Detector", paths: Iterable[str], *, files: "ModelFiles", chunk: int | None, images: bool
    ) -> "Iterator[ImageResult]":
        """The results of all images, which are written in parts if a directory is named."""
        if self.parquet is None:
            return detector.many(paths)
        from yolodsc.distributed import DEFAULT_CHUNK, PartFolder, chunked, many_in_parts

        size = chunk or DEFAULT_CHUNK
        parts = PartFolder(str(self.parquet.absolute()), detector.names)
        done = parts.begin(_settings(detector, files, size), resume=self.resume)
        return many_in_parts(detector, chunked(paths, size), parts, done, images=images)


def _settings(detector: "Detector", files: "ModelFiles", chunk: int) -> dict[str, Any]:
    """What the files depend on; a resumed run must have the same."""
    from yolodsc.evaluation import detector_settings

    classes = None if detector.classes is None else sorted(detector.classes)
    return {**detector_settings(detector, cfg=files.cfg, weights=files.weights), "classes": classes, "chunk": chunk}
