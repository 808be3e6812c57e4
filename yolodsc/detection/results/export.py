"""Detections as text, as tables of pandas or polars, and as an object of supervision."""

import csv
import importlib.util
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from yolodsc.detection.outputs.cells import text_cell
from yolodsc.errors import ImageError, MissingExtraError, OptionError
from yolodsc.files import write_bytes

if TYPE_CHECKING:
    from yolodsc.detection.detections import Detections

TABLE_LIBRARIES = ("pandas", "polars")
"""Libraries of tables, in the order in which they are tried."""

COLUMNS = ("path", "class", "score", "xmin", "ymin", "xmax", "ymax")
"""Columns of CSV text; those of the files that `detect` writes."""


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON of plain values; bytes of paths that are not UTF-8 are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()


def darknet_frame(detections: "Detections", frame_id: int) -> dict[str, Any]:
    """One frame of Darknet's JSON; numbers have the six digits of ``%f``."""
    keys = ("center_x", "center_y", "width", "height")
    boxes = detections.boxes_xywh_relative()
    columns = (detections.class_ids.tolist(), boxes.tolist(), detections.scores.tolist())
    objects = [
        {
            "class_id": class_id,
            "name": detections.names[class_id],
            "relative_coordinates": {key: round(value, 6) for key, value in zip(keys, box, strict=True)},
            "confidence": round(score, 6),
            **track,
        }
        for class_id, box, score, track in zip(*columns, detections.track_fields(), strict=True)
    ]
    return {"frame_id": frame_id, "filename": detections.path or "", "objects": objects}


def csv_text(detections: "Detections") -> str:
    """CSV with a heading and one line for each detection; with tracking a column ``track_id`` comes last."""
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    tracked = detections.track_ids is not None
    rows.writerow((*COLUMNS, "track_id") if tracked else COLUMNS)
    path = text_cell(detections.path or "")
    for found in detections:
        values = [path, text_cell(found.name), f"{found.score:.6f}", *(f"{side:.2f}" for side in found.box_xyxy)]
        rows.writerow([*values, found.track_id] if tracked else values)
    return buffer.getvalue()


def written(text: str, path: str | Path | None) -> str:
    """The text, also written to a file if there is a path."""
    if path is not None:
        write_bytes(path, text.encode("utf-8", "surrogateescape"), error=ImageError)
    return text


def table(detections: "Detections", library: str | None) -> Any:
    """A table of pandas or polars with one row for each detection."""
    if library is not None and library not in TABLE_LIBRARIES:
        raise OptionError(f"library={library}: unknown; expected pandas or polars", parameter="library")
    chosen = next((name for name in TABLE_LIBRARIES if library in (None, name) and importlib.util.find_spec(name)), None)
    if chosen is None:
        raise MissingExtraError("tables", needed_for="to_dataframe()")
    boxes = detections.boxes_xyxy.reshape(-1, 4)
    columns: dict[str, Any] = {
        "class_id": detections.class_ids,
        "name": detections.class_names(),
        "score": detections.scores,
        **{side: boxes[:, i] for i, side in enumerate(COLUMNS[3:])},
    }
    if detections.track_ids is not None:
        columns["track_id"] = detections.track_ids
    if chosen == "pandas":
        import pandas

        return pandas.DataFrame(columns)
    import polars

    return polars.DataFrame(columns)


def supervision_detections(detections: "Detections") -> Any:
    """The detections as ``supervision.Detections``; class names under ``data["class_name"]``."""
    try:
        import supervision
    except ImportError:
        raise MissingExtraError("supervision", needed_for="to_supervision()") from None
    return supervision.Detections(
        xyxy=detections.boxes_xyxy.reshape(-1, 4),
        confidence=detections.scores,
        class_id=detections.class_ids,
        tracker_id=detections.track_ids,
        data={"class_name": np.array(detections.class_names(), dtype=str)},
    )
