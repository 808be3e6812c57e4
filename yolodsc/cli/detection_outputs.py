"""Options of `detect` that name files to write, and their writers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from yolodsc.cli.declarations import option
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs, is_standard_output, target
from yolodsc.detection import Sources, Writer, ensure_none_exists
from yolodsc.errors import OptionError
from yolodsc.values import Value


class OutputOptions(Value, kw_only=True):
    """Files that hold detections."""

    save: Annotated[Path | None, option(metavar="DIR", help="Write images and videos with boxes drawn on them.")] = None
    json: Annotated[Path | None, option(metavar="F|-", help="Write detections in Darknet's JSON format.")] = None
    jsonl: Annotated[Path | None, option(metavar="F|-", help="Write a line of JSON for each image or frame.")] = None
    csv: Annotated[Path | None, option(metavar="F|-", help="Write detections as CSV: path,class,score,xmin,ymin,xmax,ymax.")] = None
    coco: Annotated[Path | None, option(metavar="F|-", help="Write detections as COCO's results (JSON).")] = None
    txt: Annotated[Path | None, option(metavar="DIR", help="Write YOLO label files with scores.")] = None
    score: Annotated[bool, option("--score/--no-score", help="Write scores to label files.")] = True
    xml: Annotated[Path | None, option(metavar="DIR", help="Write VOC annotations (XML).")] = None
    crops: Annotated[Path | None, option(metavar="DIR", help="Write each detected object as an image.")] = None
    report: Annotated[Path | None, option(metavar="DIR", help="Write a page with the images and their boxes.")] = None
    overwrite: Annotated[bool, option("--overwrite", help="Replace existing label files and annotations.")] = False

    @property
    def files(self) -> dict[str, Path | None]:
        """Single files by option."""
        return {"--json": self.json, "--jsonl": self.jsonl, "--csv": self.csv, "--coco": self.coco}

    @property
    def to_standard_output(self) -> bool:
        """Whether standard output is for detections, and therefore for nothing else."""
        return any(is_standard_output(path) for path in self.files.values())

    def ensure_writable(self, sources: Sources) -> None:
        """Raise an `OptionError`, before any work begins, if something would be overwritten."""
        ensure_outputs_differ_from_inputs(self.files, sources.reads)
        if not self.score and self.txt is None:
            raise OptionError("--no-score goes with --txt")
        if self.overwrite and self.txt is None and self.xml is None:
            raise OptionError("--overwrite goes with --txt or --xml")
        if self.overwrite or sources.endless:
            return
        for folder, suffix in ((self.txt, ".txt"), (self.xml, ".xml")):
            if folder is not None:
                ensure_none_exists(folder, _not_read(sources, folder, suffix), suffix=suffix)

    def writers(self, sources: Sources, save: Path | None, *, tracks: bool = False) -> list[Writer]:
        """A writer for each output; none writes to a file that is read in this run."""
        from yolodsc.detection import AnnotatedWriter, CropWriter, CsvWriter, TxtWriter, VocWriter

        reads = sources.may_read
        writers: list[Writer] = []
        if save is not None:
            writers.append(AnnotatedWriter(save, reads=reads))
        if self.txt is not None:
            writers.append(TxtWriter(self.txt, reads=reads, scores=self.score, overwrite=self.overwrite))
        if self.xml is not None:
            writers.append(VocWriter(self.xml, reads=reads, overwrite=self.overwrite))
        if self.crops is not None:
            writers.append(CropWriter(self.crops, reads=reads))
        if self.report is not None:
            from yolodsc.evaluation import ReportWriter

            writers.append(ReportWriter(self.report))
        if self.csv is not None:
            writers.append(CsvWriter(target(self.csv), frames=sources.has_clips(), tracks=tracks))
        return [*writers, *self._json_writers()]

    def _json_writers(self) -> list[Writer]:
        """Writers of JSON in its three schemas."""
        from yolodsc.detection import CocoWriter, JsonlWriter, JsonWriter

        kinds = ((JsonWriter, self.json), (JsonlWriter, self.jsonl), (CocoWriter, self.coco))
        return [kind(target(path)) for kind, path in kinds if path is not None]

    def needs_images(self, save: Path | None) -> bool:
        """Whether a writer draws, cuts or shows the images."""
        return any(folder is not None for folder in (save, self.crops, self.report))

    def ensure_none(self) -> None:
        """Raise an `OptionError` if any file is named: results of classifiers are only printed."""
        folders = {"--save": self.save, "--txt": self.txt, "--xml": self.xml, "--crops": self.crops, "--report": self.report}
        for name, path in {**self.files, **folders}.items():
            if path is not None:
                raise OptionError(f"{name} is for detectors; this network is a classifier, whose classes are printed")

    def written(self, save: Path | None) -> str:
        """What the run wrote, in words; empty if it wrote nothing."""
        folders = {
            "annotated copies": save,
            "labels": self.txt,
            "annotations": self.xml,
            "crops": self.crops,
            "a page": self.report,
        }
        parts = [f"{what} to {folder}/" for what, folder in folders.items() if folder is not None]
        files = [str(path) for path in self.files.values() if path is not None and not is_standard_output(path)]
        return ", ".join([*parts, *([f"detections to {' and '.join(files)}"] if files else [])])


def _not_read(sources: Sources, folder: Path, suffix: str) -> Iterator[str]:
    """The sources whose label file is none that the run reads: such a file is kept, and the labels get another name."""
    return (source for source in sources if not sources.reads(folder / f"{Path(source).stem}{suffix}"))
