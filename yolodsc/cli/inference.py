"""Detections of a dataset: those of a file, or those of a network that runs over it, with a journal of what is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli.cluster import ClusterOptions, advice_on_loss
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.cli.network_files import model_files, open_detector
from yolodsc.cli.options import DetectionOptions, LoadingOptions, NetworkOptions, RunningOptions
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs
from yolodsc.cli.progress import progress
from yolodsc.cli.signals import advice_on_interrupt
from yolodsc.darknet import profile_named
from yolodsc.detection import Detector, ModelFiles, class_names
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    JOURNAL_FILE,
    Dataset,
    DetectionTable,
    ImageDetections,
    InputReport,
    append_journal,
    detection_table,
    inference_settings,
    read_detections,
    resume_journal,
    run_inference,
    stage_milliseconds,
    with_network_classes,
    write_comp4,
)
from yolodsc.files import exists
from yolodsc.files import folder as make_folder
from yolodsc.values import Value


class JournalOptions(Value, kw_only=True):
    """Where detections are saved while a network runs."""

    save_detections: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save detections in VOC's comp4 files, and a journal to resume from.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run that --save-detections holds.")] = False


class DetectionRun(Value, kw_only=True):
    """What gives the detections of a dataset: a file or directory, or a network and how it runs."""

    detections: Path | None
    network: NetworkOptions
    thresh: float
    loading: LoadingOptions
    detection: DetectionOptions
    running: RunningOptions
    journal: JournalOptions
    cluster: ClusterOptions
    strict: bool
    quiet: bool

    @property
    def exif(self) -> bool:
        """Whether images are turned as their EXIF orientation says."""
        given = self.detection.exif
        return profile_named(self.loading.profile).exif if given is None else given

    def ensure_consistent(self) -> None:
        """Raise an `OptionError` for options that exclude or need each other."""
        saved = self.journal.save_detections is not None
        if self.detections is not None and self.network.given:
            raise OptionError("--detections and a network name two things to score; expected one")
        if self.detections is not None and (saved or self.journal.resume):
            raise OptionError("--save-detections and --resume need a network to run; --detections names results of an earlier run")
        if self.journal.resume and not saved:
            raise OptionError("--resume continues the run that --save-detections DIR holds; expected both")
        if self.cluster.scheduler is not None and self.detections is not None:
            raise OptionError("--scheduler runs a network; --detections names results of an earlier run")
        self.cluster.check()


@dataclass(frozen=True, slots=True)
class DatasetDetections:
    """A dataset and its detections; classes without file, notes on the input, milliseconds an image, whether an image failed."""

    dataset: Dataset
    detections: DetectionTable
    missing: frozenset[int]
    notes: list[str]
    speed: dict[str, float]
    failed: bool


def dataset_detections(
    ground_truth: GroundTruthOptions, run: DetectionRun, outputs: Mapping[str, Path | None]
) -> DatasetDetections:
    """Read the dataset, and read its detections or run the network over it; all options are checked first."""
    run.ensure_consistent()
    ground_truth.ensure_present()
    report = InputReport(strict=run.strict, exif=run.exif)
    files = model_files(run.network, ground_truth.classes) if run.detections is None else None
    ensure_outputs_differ_from_inputs(outputs, (*ground_truth.paths, run.detections, *(files.paths if files else ())))
    if files is None:
        dataset = ground_truth.read(report)
        form = ground_truth.format(ground_truth.known_names())
        detections, missing = read_detections(run.detections or Path(), dataset, form, report)
        return DatasetDetections(dataset, detections, missing, report.notes, {}, failed=False)
    detector = open_detector(
        files,
        data=ground_truth.classes.data,
        thresh=run.thresh,
        loading=run.loading,
        detection=run.detection,
        running=run.running,
        quiet=run.quiet,
    )
    if files.names is None and ground_truth.classes.data is None and (known := ground_truth.known_names()):
        detector.names = class_names(detector.network, known, source=str(ground_truth.source))
    dataset = with_network_classes(ground_truth.read(report, network_names=detector.names), detector.names, report)
    kept = RunJournal.of(run.journal, files, ground_truth.chosen)
    with run.cluster.running(detector, total=lambda: len(dataset.ids), quiet=run.quiet) as running:
        scored = run_network(dataset, running, kept, quiet=run.quiet)
    notes = [*report.notes, *(entry.error for entry in scored if entry.error)]
    failed = any(entry.error for entry in scored)
    return DatasetDetections(dataset, detection_table(dataset, scored), frozenset(), notes, stage_milliseconds(scored), failed)


@dataclass(frozen=True, slots=True)
class RunJournal:
    """Where detections are saved while a network runs, and for which network and image set."""

    folder: Path
    files: ModelFiles
    resume: bool
    image_set: str

    @classmethod
    def of(cls, options: JournalOptions, files: ModelFiles, chosen: str) -> "RunJournal | None":
        """The journal that the options describe; None if detections are not saved."""
        folder = options.save_detections
        return None if folder is None else cls(folder, files, options.resume, Path(chosen).stem)


def run_network(dataset: Dataset, detector: Detector, journal: RunJournal | None, *, quiet: bool) -> list[ImageDetections]:
    """Run the network over the images, in their order."""
    kept = "--save-detections DIR makes runs that can be resumed"
    if journal is not None:
        kept = f"the detections so far are in {journal.folder}/; the same command with --resume continues"
    try:
        with advice_on_interrupt(lambda: kept, quiet=quiet), advice_on_loss(lambda: kept):
            if journal is None:
                return list(progress(run_inference(dataset, detector), total=len(dataset.ids), quiet=quiet))
            return _run_with_journal(dataset, detector, journal, quiet=quiet)
    finally:
        detector.close()


def _run_with_journal(dataset: Dataset, detector: Detector, kept: RunJournal, *, quiet: bool) -> list[ImageDetections]:
    """Write the detections of each image to disk immediately; skip images that the journal already has."""
    path = make_folder(kept.folder, error=DatasetError) / JOURNAL_FILE
    if exists(path) and not kept.resume:
        raise OptionError(f"{path}: exists; expected --resume to continue it, or another folder")
    settings = inference_settings(detector, dataset, cfg=kept.files.cfg, weights=kept.files.weights)
    order = {name: i for i, name in enumerate(dataset.ids)}
    scored = {entry.id: entry for entry in resume_journal(path, settings) if entry.id in order}
    remaining = progress(run_inference(dataset, detector, skip=set(scored)), total=len(order) - len(scored), quiet=quiet)
    try:
        with append_journal(path, settings) as journal:
            for entry in remaining:
                scored[entry.id] = entry
                if entry.error is None:
                    journal.write(entry.line())
    finally:
        in_order = sorted(scored.values(), key=lambda entry: order[entry.id])
        write_comp4(kept.folder, dataset, detection_table(dataset, in_order), chosen=kept.image_set)
    return in_order
