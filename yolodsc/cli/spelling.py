"""The command line's spelling of the parameters that library errors name."""

import re

from yolodsc.errors import YolodscError

OPTIONS = {
    "adaptive": "--adaptive",
    "allow_nonfinite": "--allow-nonfinite",
    "average": "--average",
    "batch": "--batch",
    "budget": "--budget",
    "budget_ms": "--budget-ms",
    "chunk": "--chunk",
    "classes": "--classes",
    "clip": "--clip",
    "corners": "--boxes",
    "count_line": "--count-line",
    "decay": "--decay",
    "epochs": "--epochs",
    "exposure": "--exposure",
    "features": "--features",
    "format": "--format",
    "heads": "--heads",
    "hue": "--hue",
    "image_set": "--set",
    "iou": "--iou",
    "isa": "--isa",
    "jitter": "--jitter",
    "keep": "--keep",
    "labels": "--label-weight",
    "layer": "--layer",
    "max_frames": "--max-frames",
    "method": "--method",
    "model": "--model",
    "momentum": "--momentum",
    "nms_thresh": "--nms",
    "optimizer": "--optimizer",
    "partial": "--partial",
    "peers": "--peers",
    "precision": "--precision",
    "profile": "--profile",
    "rank": "--rank",
    "ranks": "--ranks",
    "rate": "--lr",
    "resume": "--resume",
    "rule": "--rule",
    "rules": "--rules",
    "saturation": "--saturation",
    "schedule": "--schedule",
    "scheduler": "--scheduler",
    "sharpen": "--sharpen",
    "show": "--show",
    "size": "--size",
    "statistics": "--statistics",
    "streams": "--streams",
    "teacher": "--teacher",
    "thresh": "--thresh",
    "overwrite": "--overwrite",
    "threads": "--threads",
    "tile_overlap": "--tile-overlap",
    "tiles": "--tiles",
    "tls_ca": "--tls-ca",
    "tls_cert": "--tls-cert",
    "tls_key": "--tls-key",
    "vid_stride": "--vid-stride",
    "warmup": "--warmup",
}
"""Parameter of the library, and the option that sets it."""


def with_options(error: YolodscError) -> str:
    """The text of an error, with the option instead of the parameter at fault.

    ``nms_thresh=2`` becomes ``--nms 2``, ``partial=True`` becomes ``--partial``, and a leading ``classes:`` becomes
    ``--classes:``. A text that holds none of these gets the option in brackets at its end.
    """
    text, parameter = str(error), getattr(error, "parameter", None)
    option = OPTIONS.get(parameter or "")
    if option is None:
        return text
    if text.startswith(f"{parameter}:"):
        return option + text[len(f"{parameter}") :]
    assignment = re.compile(rf"(?<![\w.-]){parameter}=(True\b)?")
    if assignment.search(text):
        return assignment.sub(lambda found: option if found[1] else f"{option} ", text, count=1)
    return f"{text} ({option})"
