"""The suspects of an audit as CSV."""

import csv
from io import StringIO

from yolodsc.detection import text_cell
from yolodsc.evaluation.audit.ranking import Audit, Suspect
from yolodsc.evaluation.metrics.tables import Doubles

COLUMNS = (
    "rank fault suspicion image path label label_xmin label_ymin label_xmax label_ymax "
    "detected score detected_xmin detected_ymin detected_xmax detected_ymax"
).split()


def audit_csv(audit: Audit) -> str:
    """One line for each suspect, most suspicious first; boxes in the coordinates of the dataset, empty where there is none."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rank, suspect in enumerate(audit.suspects, 1):
        writer.writerow([rank, suspect.fault, f"{suspect.suspicion:.4f}", *_cells(audit, suspect)])
    return text.getvalue()


def _cells(audit: Audit, suspect: Suspect) -> list[str]:
    dataset, found = audit.dataset, audit.detections
    path = "" if dataset.paths is None else str(dataset.paths[suspect.image])
    cells = [text_cell(dataset.ids[suspect.image]), text_cell(path)]
    if suspect.label is None:
        cells += [""] * 5
    else:
        truth = dataset.ground_truth
        cells += [text_cell(dataset.names[truth.class_id[suspect.label]]), *_box(truth.boxes_xyxy[suspect.label])]
    if suspect.detection is None:
        return [*cells, *[""] * 6]
    row = suspect.detection
    return [*cells, text_cell(dataset.names[found.class_id[row]]), f"{found.score[row]:.4f}", *_box(found.boxes_xyxy[row])]


def _box(corners: Doubles) -> list[str]:
    return [f"{side:.2f}" for side in corners]
