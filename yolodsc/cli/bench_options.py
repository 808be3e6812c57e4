"""Options of ``yolodsc bench`` that name networks and images."""

from pathlib import Path
from typing import Annotated

import typer

from yolodsc.bench import random_network
from yolodsc.cli import options
from yolodsc.cli.network_files import model_files
from yolodsc.detection import DEFAULT_MODEL, ModelFiles, read_network, resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import is_file
from yolodsc.network import Network, at_size
from yolodsc.values import Value

Named = tuple[str, Network, tuple[Path, ...]]
"""Name of a network, the network, and its files."""


class SubjectOptions(Value, kw_only=True):
    """Options that name the networks to benchmark."""

    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|DIR", help="Network to benchmark; may be given several times.", show_default=DEFAULT_MODEL),
    ] = None
    cfg: options.CfgFile = None
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="F", help="The .weights file of the network.", show_default="beside the .cfg file, else random weights"
        ),
    ] = None
    size: options.Size = None
    allow_nonfinite: options.AllowNonfinite = False

    def networks(self) -> list[Named]:
        """Names and networks, at the size that is chosen."""
        return [(name, at_size(network, self.size), files) for name, network, files in self._named()]

    def _named(self) -> list[Named]:
        if self.cfg is None and self.weights is None:
            return [self._loaded(resolve_model(name)) for name in self.model or [DEFAULT_MODEL]]
        if self.model:
            raise OptionError("--model and --cfg/--weights name several networks; expected one of them")
        if self.cfg is not None and self.weights is None and not is_file(self.cfg.with_suffix(".weights")):
            return [(*random_network(self.cfg), ())]
        return [self._loaded(model_files(options.NetworkOptions(cfg=self.cfg, weights=self.weights)))]

    def _loaded(self, files: ModelFiles) -> Named:
        return files.cfg.stem, read_network(files, allow_nonfinite=self.allow_nonfinite), files.paths


class ImageOptions(Value, kw_only=True):
    """Images that engines run on besides the one that is timed."""

    images: Annotated[
        str | None, typer.Option(metavar="DIR|LIST", help="Images on which to compare detections (F1), at most 100.")
    ] = None
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|LIST",
            help="Images on which peers calibrate their own int8, at most 300.",
            show_default="those of --images, else one pattern",
        ),
    ] = None
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory of the networks that peers quantize, which later runs use again.",
            show_default="made anew in each run",
        ),
    ] = None
