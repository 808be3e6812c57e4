"""Options that name the ground truth of an evaluation."""

from pathlib import Path
from typing import Annotated, cast

import typer

from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    Corners,
    Dataset,
    Format,
    FormatName,
    InputReport,
    image_set_file,
    mark_difficult,
    read_ground_truth,
    read_set,
    read_voc,
)
from yolodsc.files import exists
from yolodsc.values import Value

DIFFICULT_CHOICES = ("drop", "list")
"""Values of ``--difficult`` besides a file."""


class GroundTruthOptions(Value, kw_only=True):
    """A VOC tree, or ground truth in another format."""

    voc: Annotated[Path | None, typer.Option(metavar="DIR", help="VOC tree, such as VOCdevkit/VOC2007.")] = None
    image_set: Annotated[
        str | None,
        typer.Option("--set", metavar="NAME|F", help="Image set of the VOC tree, or file of image ids.", show_default="test"),
    ] = None
    gt: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Ground truth in the format that --format names.")] = None
    form: Annotated[
        str, typer.Option("--format", metavar="F", help="Format of --gt and --detections: voc, yolo, cartucho, coco or rafael.")
    ] = "voc"
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the images, if the ground truth does not name it.")
    ] = None
    boxes: Annotated[str, typer.Option(metavar="K", help="Boxes of text files: xywh, xyxy, or auto to detect which.")] = "auto"
    difficult: Annotated[
        str,
        typer.Option(
            metavar="drop|list|F", help="Treatment of difficult objects under Darknet's rules, as difficult= in a .data file."
        ),
    ] = "drop"

    @property
    def chosen(self) -> str:
        """The image set."""
        return self.image_set or "test"

    @property
    def difficult_list(self) -> Path | None:
        """The file that lists difficult objects, if one is named."""
        return None if self.difficult in DIFFICULT_CHOICES else Path(self.difficult)

    @property
    def paths(self) -> tuple[Path | None, ...]:
        """Files that are read."""
        return (self.gt, self.difficult_list, image_set_file(self.voc, self.chosen) if self.voc else None)

    def ensure_consistent(self) -> None:
        """Raise an `OptionError` if ``--set`` has no tree to select from."""
        if self.gt is not None and self.image_set is not None:
            raise OptionError("--set selects images of --voc; --gt has a list of its own")

    def format(self, names: tuple[str, ...]) -> Format:
        """The format of text files and JSON, with class names in the order of class numbers."""
        return Format(name=cast(FormatName, self.form), corners=cast(Corners, self.boxes), names=names, images=self.images)

    def ensure_present(self) -> None:
        """Raise an error unless the options name one ground truth that exists."""
        path = self.voc or self.gt
        if path is None or (self.voc and self.gt):
            raise OptionError("the ground truth is missing or named twice; expected --voc DIR or --gt DIR")
        if not exists(path):
            raise DatasetError(f"{path}: no such file or folder")
        if self.voc is not None:
            read_set(self.voc, self.chosen)

    def read(self, names: tuple[str, ...], report: InputReport) -> Dataset:
        """Ground truth with classes in the order of ``names``."""
        if self.voc is not None:
            dataset = read_voc(self.voc, self.chosen, report, names=names)
        else:
            dataset = read_ground_truth(cast(Path, self.gt), self.format(names), report)
        return dataset if self.difficult_list is None else mark_difficult(dataset, self.difficult_list, report)
