"""``yolodsc audit``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.cluster import ClusterOptions
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.cli.inference import DetectionRun, JournalOptions, dataset_detections
from yolodsc.cli.notes import print_notes
from yolodsc.cli.outputs import is_standard_output, write_text
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import Audit, Suspect, audit_labels
from yolodsc.files import folder as make_folder
from yolodsc.files import is_folder
from yolodsc.values import Value

AUDIT_THRESH = 0.005
"""Smallest score of detections: low ones tell objects that are hard to see from labels where there is nothing."""


class AuditOptions(Value, kw_only=True):
    """What is printed and written."""

    csv: Annotated[Path | None, typer.Option(metavar="F|-", help="Write all suspects as CSV, most suspicious first.")] = None
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a page with the images of the first suspects.")] = None
    top: Annotated[int, typer.Option(min=0, metavar="N", help="Number of suspects that are printed.")] = 20

    def ensure_writable(self) -> None:
        """Raise an error, before anything runs, for an output that cannot be written at the end."""
        if self.csv is not None and is_folder(self.csv):
            raise OptionError(f"--csv {self.csv}: is a directory; expected a file")
        if self.report is not None:
            make_folder(self.report, error=OptionError)

    def write(self, result: Audit, *, quiet: bool) -> None:
        """Write the files that are named."""
        from yolodsc.evaluation import audit_csv, audit_page, write_page

        if self.csv is not None:
            write_text(self.csv, audit_csv(result), error=DatasetError, quiet=quiet)
        if self.report is not None:
            written = write_page(self.report, audit_page(result))
            if not quiet:
                note(f"wrote {written}")


def audit(
    *,
    ground_truth: GroundTruthOptions,
    detections: Annotated[
        Path | None,
        typer.Option(metavar="DIR|F", help="Use these detections instead of running a network.", rich_help_panel="Detection"),
    ] = None,
    network: options.NetworkOptions,
    thresh: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Smallest score of detections that are used.", rich_help_panel="Detection")
    ] = AUDIT_THRESH,
    detection: options.DetectionOptions,
    loading: options.LoadingOptions,
    running: options.RunningOptions,
    journal: JournalOptions,
    cluster: ClusterOptions,
    output: AuditOptions,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse faulty annotations and detections.")] = False,
    quiet: options.Quiet = False,
) -> int:
    """Rank labels that a network contradicts: missing, misplaced, mislabelled and unsupported ones."""
    output.ensure_writable()
    run = DetectionRun(
        detections=detections,
        network=network,
        thresh=thresh,
        loading=loading,
        detection=detection,
        running=running,
        journal=journal,
        cluster=cluster,
        strict=strict,
        quiet=quiet,
    )
    run.ensure_consistent()
    ground_truth.ensure_present()
    found = dataset_detections(ground_truth, run, {"--csv": output.csv})
    result = audit_labels(found.dataset, found.detections)
    print_notes(found.notes, rest="--strict stops at the first")
    if not quiet and not is_standard_output(output.csv):
        say(*_lines(result, output.top))
    output.write(result, quiet=quiet)
    return 1 if found.failed else 0


def _lines(result: Audit, top: int) -> list[str]:
    """How many suspects there are, and a table of the first ones."""
    labels = int((~result.dataset.ground_truth.difficult).sum())
    tenth = Counter(suspect.fault for suspect in result.suspects[: len(result.suspects) // 10])
    counts = ", ".join(f"{fault} {count}" for fault, count in tenth.most_common())
    head = [
        f"{labels:,} labels of {len(result.dataset.ids):,} images and {len(result.suspects) - labels:,} detections without label",
        f"the first 10 % of the list: {counts or 'nothing'}",
    ]
    if not top or not result.suspects:
        return head
    rows = [["rank", "fault", "image", "label", "detected", "suspicion"]]
    rows += [_row(result, rank, suspect) for rank, suspect in enumerate(result.suspects[:top], 1)]
    return [*head, "", *aligned(rows, left=5)]


def _row(result: Audit, rank: int, suspect: Suspect) -> list[str]:
    names, truth, found = result.dataset.names, result.dataset.ground_truth, result.detections
    label = "-" if suspect.label is None else names[truth.class_id[suspect.label]]
    detected = "-"
    if suspect.detection is not None:
        detected = f"{names[found.class_id[suspect.detection]]} {found.score[suspect.detection]:.2f}"
    return [str(rank), suspect.fault, result.dataset.ids[suspect.image], label, detected, f"{suspect.suspicion:.3f}"]
