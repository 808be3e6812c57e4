"""An annotation of PASCAL VOC for each image, as XML."""

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from yolodsc.detection.detections import Detections
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.detection.outputs.new_files import NewFiles
from yolodsc.images import ImageArray

_NOT_IN_XML = dict.fromkeys([*range(0x20), 0x7F, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\N{REPLACEMENT CHARACTER}")
"""Characters that XML 1.0 cannot express, and controls."""


class VocWriter:
    """Writes ``Annotations``: whole pixels counted from 1, inside the image, and the score as ``confidence``.

    Boxes that have no area inside the image are left out: VOC cannot express them.

    Parameters
    ----------
    overwrite
        Replace existing files; otherwise the first one is an `OptionError`.
    """

    def __init__(self, folder: str | Path, *, reads: Callable[[Path], bool] = lambda _: False, overwrite: bool = False) -> None:
        self._names = OutputNames(folder, reads=reads)
        self._files = NewFiles(overwrite=overwrite)

    def add(self, detections: Detections, image: ImageArray) -> None:
        """One file."""
        root = _annotation(detections, depth=image.shape[2])
        indent(root, "\t")
        path = self._names.frame_path(detections, suffix=".xml")
        self._files.write(path, tostring(root, encoding="unicode") + "\n")

    def close(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Do nothing: each file is complete as soon as it is written."""


def _annotation(detections: Detections, *, depth: int) -> Element:
    source = Path(detections.path or "")
    root = Element("annotation")
    _text(root, "folder", source.parent.name)
    _text(root, "filename", source.name)
    size = SubElement(root, "size")
    for tag, pixels in (("width", detections.width), ("height", detections.height), ("depth", depth)):
        _text(size, tag, str(pixels))
    _text(root, "segmented", "0")
    limits = (detections.width, detections.height) * 2
    for name, score, box in zip(detections.class_names(), detections.scores, detections.boxes_xyxy, strict=True):
        sides = [min(max(round(float(side)) + 1, 1), limit) for side, limit in zip(box, limits, strict=True)]
        if sides[0] >= sides[2] or sides[1] >= sides[3]:
            continue
        found = SubElement(root, "object")
        for tag, value in (("name", name), ("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            _text(found, tag, value)
        _text(found, "confidence", f"{score:.6f}")
        corners = SubElement(found, "bndbox")
        for corner, side in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True):
            _text(corners, corner, str(side))
    return root


def _text(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text.translate(_NOT_IN_XML)
