"""Detections on their image: crops, files, the screen, and notebook output."""

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import ImageError
from yolodsc.files import is_folder, resolved

if TYPE_CHECKING:
    from yolodsc.detection.detections import Detections
    from yolodsc.images import ImageArray

NOTEBOOK_SIDE = 800
"""Longest side in pixels of the image in notebook output."""

NOTEBOOK_ROWS = 20
"""Maximum number of rows of the table in notebook output."""


def cropped(image: "ImageArray", boxes_xyxy: Array) -> list["ImageArray"]:
    """The part of the image (H, W, C) inside each box, clipped to the image; empty for boxes outside. The parts are views."""
    parts = []
    for box in boxes_xyxy:
        sides = [max(0, round(float(side))) for side in box] if np.isfinite(box).all() else [0] * 4
        left, top, right, bottom = sides
        parts.append(image[top:bottom, left:right])
    return parts


def save(detections: "Detections", path: str | Path) -> Path:
    """Write the annotated image; to a directory under the name of the image. Never overwrites the image itself."""
    from yolodsc.images import WRITABLE_EXTENSIONS, write_image

    target = Path(path)
    source = Path(detections.path) if detections.path else None
    if is_folder(target):
        name = (
            source.name if source and source.suffix.lower() in WRITABLE_EXTENSIONS else f"{source.stem if source else 'image'}.png"
        )
        target /= name
    if source is not None and resolved(source) == resolved(target):
        raise ImageError(f"{target}: is the image itself; expected another path")
    write_image(target, detections.plot())
    return target


def show(detections: "Detections") -> None:
    """Open the annotated image in the viewer of the system."""
    from PIL import Image

    Image.fromarray(detections.plot()).show(title=detections.path or "detections")


def encoded(detections: "Detections", form: str) -> bytes:
    """The annotated image as PNG or JPEG, reduced to `NOTEBOOK_SIDE`."""
    from PIL import Image

    drawing = Image.fromarray(detections.plot())
    drawing.thumbnail((NOTEBOOK_SIDE, NOTEBOOK_SIDE))
    buffer = io.BytesIO()
    drawing.save(buffer, format=form)
    return buffer.getvalue()


def html_text(detections: "Detections") -> str:
    """The annotated image and a table of the best detections; all text is escaped."""
    parts = [f"<div><code>{html.escape(repr(detections))}</code></div>"]
    if detections.image is not None:
        source = f"data:image/jpeg;base64,{base64.b64encode(encoded(detections, 'JPEG')).decode()}"
        parts.append(f'<img style="max-width:100%" alt="detections" src="{source}">')
    if len(detections):
        parts.append(_table(detections))
    return "\n".join(parts)


def _table(detections: "Detections") -> str:
    heading = "".join(f"<th>{name}</th>" for name in ("class", "score", "left", "top", "right", "bottom"))
    rows = []
    for found in detections[:NOTEBOOK_ROWS]:
        numbers = (f"{found.score:.3f}", *(f"{round(side)}" for side in found.box_xyxy))
        cells = "".join(f"<td>{cell}</td>" for cell in (html.escape(found.name), *numbers))
        rows.append(f"<tr>{cells}</tr>")
    if (rest := len(detections) - NOTEBOOK_ROWS) > 0:
        rows.append(f'<tr><td colspan="6">and {rest} more</td></tr>')
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
