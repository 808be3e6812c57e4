"""The API reference: the public names and their pages; mkdocstrings reads the rest from the docstrings."""

import re
from functools import cache
from inspect import getdoc
from pkgutil import resolve_name
from typing import Any

import yolodsc
from tools.website.page import GeneratedPage

FOLDER = "reference/api"

PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Detection": (
        "Networks that find objects in images and videos.",
        (
            "yolodsc.load",
            "yolodsc.Detector",
            "yolodsc.Detections",
            "yolodsc.Detection",
            "yolodsc.detection.ImageResult",
        ),
    ),
    "Classification": (
        "Networks that name what a whole image shows.",
        ("yolodsc.load_classifier", "yolodsc.Classifier", "yolodsc.Classification", "yolodsc.detection.ClassScore"),
    ),
    "Tracking": (
        "Numbers for objects of a video, and counts of them.",
        (
            "yolodsc.detection.Tracker",
            "yolodsc.detection.TrackCounter",
            "yolodsc.detection.CountLine",
            "yolodsc.detection.LineCounter",
        ),
    ),
    "Networks": (
        "Layers, weights and cfg files.",
        (
            "yolodsc.Network",
            "yolodsc.network.Layer",
            "yolodsc.network.Summary",
            "yolodsc.network.summarise",
            "yolodsc.network.write_weights",
            "yolodsc.darknet.Profile",
            "yolodsc.darknet.profile_named",
            "yolodsc.darknet.parse_cfg",
            "yolodsc.darknet.read_cfg",
        ),
    ),
    "Engine": ("The fast executor of a network.", ("yolodsc.engine.compile", "yolodsc.engine.Runner")),
    "Evaluation": (
        "Scores of detections by the rules of several programs.",
        (
            "yolodsc.evaluation.read_dataset",
            "yolodsc.evaluation.read_detections",
            "yolodsc.evaluation.evaluate",
            "yolodsc.evaluation.Evaluation",
            "yolodsc.evaluation.Rule",
            "yolodsc.evaluation.compare",
            "yolodsc.evaluation.audit_labels",
            "yolodsc.evaluation.fit_anchors",
        ),
    ),
    "Decomposition": (
        "Regular convolutions into separable ones, without training.",
        (
            "yolodsc.decompose.decompose",
            "yolodsc.decompose.DecomposeSettings",
            "yolodsc.decompose.Decomposition",
            "yolodsc.decompose.LayerResult",
            "yolodsc.decompose.separation_errors",
        ),
    ),
    "Training": (
        "Fine-tuning on the CPU.",
        (
            "yolodsc.training.Trainer",
            "yolodsc.training.FinetuneSettings",
            "yolodsc.training.Augmentation",
            "yolodsc.training.Validation",
        ),
    ),
    "Quantization": (
        "Networks for 8-bit integers.",
        (
            "yolodsc.quantize.quantize",
            "yolodsc.quantize.QuantizeSettings",
            "yolodsc.quantize.QuantizedNetwork",
            "yolodsc.precision.Quantization",
            "yolodsc.precision.quantized_forward",
        ),
    ),
    "Optimization": (
        "The fastest network of a given quality, or the best one within a given time.",
        ("yolodsc.optimize.optimize", "yolodsc.optimize.OptimizeSettings", "yolodsc.optimize.Optimization"),
    ),
    "Many machines": (
        "Detection on the workers of a Dask scheduler.",
        ("yolodsc.distributed.ClusterSettings", "yolodsc.distributed.DistributedDetector"),
    ),
    "Conversion": (
        "Other formats and forms.",
        (
            "yolodsc.convert.read_model",
            "yolodsc.convert.write_model",
            "yolodsc.convert.ModelFile",
            "yolodsc.convert.export_onnx",
            "yolodsc.convert.fold_batch_norm",
            "yolodsc.convert.fold_separable",
            "yolodsc.convert.first_layers",
        ),
    ),
    "cv2.dnn": (
        "The interface of OpenCV 4 for Darknet networks. Constants such as `DNN_BACKEND_OPENCV` are there too, and all other names "
        "are those of the installed OpenCV.",
        (
            "yolodsc.cv2dnn.readNetFromDarknet",
            "yolodsc.cv2dnn.readNet",
            "yolodsc.cv2dnn.Net",
            "yolodsc.cv2dnn.NetLayer",
            "yolodsc.cv2dnn.Model",
            "yolodsc.cv2dnn.DetectionModel",
            "yolodsc.cv2dnn.ClassificationModel",
            "yolodsc.cv2dnn.blobFromImage",
            "yolodsc.cv2dnn.blobFromImages",
            "yolodsc.cv2dnn.imagesFromBlob",
            "yolodsc.cv2dnn.NMSBoxes",
            "yolodsc.cv2dnn.NMSBoxesBatched",
            "yolodsc.cv2dnn.softNMSBoxes",
        ),
    ),
    "Errors": (
        "Every error that bad input can cause is a `YolodscError` with one line of text.",
        tuple(f"yolodsc.errors.{name}" for name in re.findall(r"\b[A-Z]\w+Error\b", yolodsc.errors.__doc__ or "")),
    ),
}
"""Title of a page, what its names have in common, and the names."""


@cache
def api_pages() -> tuple[GeneratedPage, ...]:
    """The list of public names, and the pages that document them."""
    pages = [GeneratedPage(f"{FOLDER}/{_file(title)}", title, _text(title, *PAGES[title])) for title in PAGES]
    return (GeneratedPage(f"{FOLDER}/index.md", "All names", _index()), *pages)


@cache
def documented() -> dict[str, str]:
    """Every name of the reference, and the page with its anchor; names of the top package also by their other paths."""
    return {name: f"{FOLDER}/{_file(title)}#{name}" for title, (_, names) in PAGES.items() for name in names}


def value_of(name: str) -> Any:
    """The object that a dotted name stands for."""
    return resolve_name(name)


def _index() -> str:
    lines = ["# Python API", "", "The interface is typed; `import yolodsc` imports what is used, when it is used.", ""]
    for title, (purpose, names) in PAGES.items():
        lines += [f"## {title}", "", purpose, "", "| name | purpose |", "| --- | --- |"]
        lines += [f"| [`{name}`]({_file(title)}#{name}) | {_summary(name)} |" for name in names]
        lines.append("")
    return "\n".join(lines)


def _summary(name: str) -> str:
    """The first paragraph of the docstring."""
    text = (getdoc(value_of(name)) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def _text(title: str, purpose: str, names: tuple[str, ...]) -> str:
    return "\n\n".join([f"# {title}", purpose, *(f"::: {name}" for name in names)])


def _file(title: str) -> str:
    return f"{title.lower().replace('.', '').replace(' ', '-')}.md"
