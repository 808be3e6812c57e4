"""Options that name the ground truth of an evaluation."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal, Self, cast

import typer
from msgspec.structs import replace

from yolodsc.cli.options import ClassOptions, NamesFile
from yolodsc.darknet import read_data_names, read_names
from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation import (
    YAML,
    Corners,
    Dataset,
    Format,
    FormatName,
    InputReport,
    has_training_list,
    image_set_file,
    lists_difficult,
    mark_difficult,
    read_dataset,
    read_ground_truth,
    read_set,
    read_voc,
    require_objects,
    yaml_names,
)
from yolodsc.files import exists, is_folder
from yolodsc.values import Value

DIFFICULT_CHOICES = ("drop", "list")
"""Values of ``--difficult`` besides a file."""

HEADLINES = {".json": "coco", ".yaml": "coco", ".yml": "coco"}
"""Headline rule of a dataset by the ending of its file: that of the program that the file is for; VOC's for all others."""


class GroundTruthOptions(Value, kw_only=True):
    """A dataset of any kind, a VOC tree, or ground truth in another format."""

    data: Annotated[
        Path | None,
        typer.Option(
            metavar="F|DIR",
            help="Dataset: Darknet's .data file, Ultralytics' YAML, COCO's JSON, or a directory (VOC, images and labels, LabelMe).",
        ),
    ] = None
    voc: Annotated[Path | None, typer.Option(metavar="DIR", help="VOC tree, such as VOCdevkit/VOC2007.")] = None
    image_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="NAME|F",
            help="Image set or split, or file of image ids.",
            show_default="test; YAML: val; .data: valid",
        ),
    ] = None
    gt: Annotated[Path | None, typer.Option(metavar="DIR|F", help="Ground truth in the format that --format names.")] = None
    form: Annotated[
        str,
        typer.Option("--format", metavar="F", help="Format of --gt and --detections: voc, yolo, cartucho, coco, rafael, labelme."),
    ] = "voc"
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the images, if the ground truth does not name it.")
    ] = None
    boxes: Annotated[str, typer.Option(metavar="K", help="Boxes of text files: xywh, xyxy, or auto to detect which.")] = "auto"
    difficult: Annotated[
        str | None,
        typer.Option(
            metavar="drop|list|F",
            help="Treatment of difficult objects under Darknet's rules, as difficult= in a .data file.",
            show_default="as the .data file says, else drop",
        ),
    ] = None
    names: NamesFile = None

    @property
    def source(self) -> Path | None:
        """The ground truth that is named; ``--data`` gives only class names if ``--voc`` or ``--gt`` is given."""
        return self.voc or self.gt or self.data

    @property
    def _described(self) -> bool:
        return self.data is not None and self.voc is None and self.gt is None

    @property
    def _darknet_data(self) -> Path | None:
        """Darknet's ``.data`` file, if ``--data`` is one."""
        other = self.data is None or is_folder(self.data) or self.data.suffix.lower() in {*YAML, ".json", ".txt"}
        return None if other else self.data

    @property
    def classes(self) -> ClassOptions:
        """The options that name the classes of a network."""
        if self._described:
            return ClassOptions(names=self.names, data=None if self.names else self._darknet_data)
        return ClassOptions(names=self.names, data=self._darknet_data)

    @property
    def chosen(self) -> str:
        """The image set."""
        return self.image_set or "test"

    @property
    def headline(self) -> str | None:
        """The rule of the program that the dataset is for; None for VOC's and all others."""
        if not self._described or self.data is None:
            return None
        return "darknet" if self._darknet_data else HEADLINES.get(self.data.suffix.lower())

    @property
    def difficult_treatment(self) -> Literal["drop", "list"]:
        """What Darknet's rules do with difficult objects."""
        if self.difficult is not None:
            return "drop" if self.difficult == "drop" else "list"
        data = self._darknet_data if self._described else None
        return "list" if data is not None and self.image_set != "train" and lists_difficult(data) else "drop"

    @property
    def difficult_list(self) -> Path | None:
        """The file that lists difficult objects, if one is named."""
        return None if self.difficult is None or self.difficult in DIFFICULT_CHOICES else Path(self.difficult)

    @property
    def paths(self) -> tuple[Path | None, ...]:
        """Files that are read."""
        return (self.gt, self.data, self.names, self.difficult_list, image_set_file(self.voc, self.chosen) if self.voc else None)

    def known_names(self) -> tuple[str, ...]:
        """Class names that the options give, in the order of class numbers."""
        if self.names is not None:
            return read_names(self.names)
        if self.data is not None and self.data.suffix.lower() in YAML:
            return yaml_names(self.data)
        return () if self._darknet_data is None else read_data_names(self._darknet_data)

    def format(self, names: tuple[str, ...]) -> Format:
        """The format of text files and JSON, with class names in the order of class numbers."""
        return Format(name=cast(FormatName, self.form), corners=cast(Corners, self.boxes), names=names, images=self.images)

    def ensure_present(self) -> None:
        """Raise an error unless the options name one ground truth that exists and can be read."""
        if self.gt is not None and self.image_set is not None:
            raise OptionError("--set selects images of --voc or --data; --gt has a list of its own")
        self.format(())
        if self.source is None or (self.voc and self.gt):
            raise OptionError("the ground truth is missing or named twice; expected --data F, --voc DIR or --gt DIR")
        if not exists(self.source):
            raise DatasetError(f"{self.source}: no such file or folder")
        if self.voc is not None:
            read_set(self.voc, self.chosen)
        self.known_names()

    @property
    def for_training(self) -> Self:
        """The same with the images of ``train=`` of a ``.data`` file, if it has some and no set is selected."""
        data = self._darknet_data if self._described and self.image_set is None else None
        return replace(self, image_set="train") if data is not None and has_training_list(data) else self

    def read(self, report: InputReport, *, network_names: tuple[str, ...] = ()) -> Dataset:
        """Ground truth with at least one object; ``network_names`` are the names of class numbers if the dataset has none."""
        names = network_names or self.known_names()
        if self.voc is not None:
            dataset = read_voc(self.voc, self.chosen, report, names=names)
        elif self.gt is not None:
            dataset = read_ground_truth(self.gt, self.format(names), report)
        else:
            dataset = self._read_described(report, network_names)
        if self.difficult_list is not None:
            dataset = mark_difficult(dataset, self.difficult_list, report)
        return dataclasses.replace(require_objects(dataset, cast(Path, self.source), report), exif=report.exif)

    def _read_described(self, report: InputReport, network_names: tuple[str, ...]) -> Dataset:
        explicit = () if self.names is None else read_names(self.names)
        notes = len(report.notes)
        dataset = read_dataset(cast(Path, self.data), self.format(explicit), report, chosen=self.image_set)
        if dataset.listed != 0 or not network_names:
            return dataset
        del report.notes[notes:]
        return read_dataset(cast(Path, self.data), self.format(network_names), report, chosen=self.image_set)


def tree_and_set(val: str) -> tuple[Path, str]:
    """The VOC tree and the image set that ``--val TREE:SET`` names."""
    tree, _, image_set = val.rpartition(":")
    if not tree:
        raise OptionError(f"--val {val}: expected TREE:SET, such as VOCdevkit/VOC2007:test")
    return Path(tree), image_set
