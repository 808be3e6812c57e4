"""Options of ``yolodsc bench`` that name networks and images."""

from pathlib import Path
from typing import Annotated

import typer

from yolodsc.bench import named_network, random_network
from yolodsc.cli import options
from yolodsc.detection import DEFAULT_MODEL, resolve_model
from yolodsc.errors import OptionError
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
        Path | None, typer.Option(metavar="F", help="The .weights file of the network.", show_default="random weights")
    ] = None
    size: options.Size = None

    def networks(self) -> list[Named]:
        """Names and networks, at the size that is chosen."""
        return [(name, at_size(network, self.size), files) for name, network, files in self._named()]

    def _named(self) -> list[Named]:
        if self.cfg is None and self.weights is None:
            return [(*named_network(name), resolve_model(name).paths) for name in self.model or [DEFAULT_MODEL]]
        if self.model:
            raise OptionError("--model and --cfg/--weights name several networks; expected one of them")
        if self.cfg is None:
            raise OptionError("--cfg is missing; --weights goes with it")
        if self.weights is None:
            return [(*random_network(self.cfg), ())]
        return [(self.cfg.stem, Network.load(self.cfg, self.weights), (self.weights, self.cfg))]


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
