"""`Network`: a cfg/weights pair as one frozen value."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from msgspec import field

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import ALEXEYAB, Cfg, Profile, Section, profile_named, read_cfg
from yolodsc.errors import CfgError
from yolodsc.files import write_bytes
from yolodsc.network.build import build_layers
from yolodsc.network.finite import require_finite
from yolodsc.network.layer import Head, Layer, Weights
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.weights import Header, initial_weights, read_weights, write_weights
from yolodsc.values import Value


class Network(Value, eq=False):
    """Layers, their weights as on disk, and the options of ``[net]`` for inference.

    Attributes
    ----------
    cfg : Cfg
        The sections it was built from.
    layers : tuple of Layer
    weights : tuple of mappings
        One per layer: raw arrays by Darknet's names; with ``share_index`` the mapping of the other layer.
    input_shape : Shape
        Shape of an image as the network reads it.
    letter_box : bool
        ``[net] letter_box=1``: the network was trained on letterboxed images.
    profile : Profile
    header : Header
        Of the weights file, kept for saving.
    notes : tuple of str
        Remarks for the user: unused options, what ``partial`` accepted.
    """

    cfg: Cfg
    layers: tuple[Layer, ...]
    weights: tuple[Weights, ...]
    input_shape: Shape
    letter_box: bool
    profile: Profile
    header: Header = field(default_factory=Header)
    notes: tuple[str, ...] = ()

    @classmethod
    def build(cls, cfg: Cfg, *, profile: Profile = ALEXEYAB) -> Self:
        """A network with initial weights (scales 1, everything else 0); a `CfgError` if the cfg is invalid."""
        network = cls._blueprint(cfg, profile)
        return network.with_weights([initial_weights(layer) for layer in network.layers])

    @classmethod
    def load(
        cls,
        cfg: str | Path | Cfg,
        weights: str | Path,
        *,
        profile: str | Profile = ALEXEYAB,
        partial: bool = False,
        allow_nonfinite: bool = False,
    ) -> Self:
        """Read a cfg/weights pair.

        Parameters
        ----------
        cfg
            A file, or sections that are read already.
        profile
            A profile or its name: ``alexeyab``, ``pjreddie`` or ``opencv``.
        partial
            Accept a weights file that is too short or too long; ``notes`` describes the difference.
        allow_nonfinite
            Accept NaN, infinity, and variances for which batch normalization gives NaN.

        Raises
        ------
        CfgError, WeightsError
        """
        profile = profile_named(profile)
        blueprint = cls._blueprint(cfg if isinstance(cfg, Cfg) else read_cfg(cfg), profile)
        file = read_weights(weights, blueprint.layers, partial=partial)
        if not allow_nonfinite:
            require_finite(str(weights), blueprint.layers, file.arrays, profile)
        notes = (file.note,) if file.note else ()
        return blueprint.with_weights(file.arrays, header=file.header, notes=notes)

    def with_weights(self, weights: Sequence[Weights], *, header: Header | None = None, notes: tuple[str, ...] = ()) -> Self:
        """The same layers with other arrays; layers with ``share_index`` get the mapping of the layer that they refer to."""
        linked: list[Weights] = []
        for layer, arrays in zip(self.layers, weights, strict=True):
            shared = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
            linked.append(arrays if shared is None else linked[shared])
        return type(self)(
            self.cfg,
            self.layers,
            tuple(linked),
            self.input_shape,
            self.letter_box,
            self.profile,
            header or self.header,
            self.notes + notes,
        )

    def with_sections(self, sections: Sequence[Section], weights: Sequence[Weights], *, header: Header | None = None) -> Self:
        """A network with the given sections, ``[net]`` first, and arrays; file name, profile and header are kept."""
        blueprint = type(self)._blueprint(Cfg(tuple(sections), self.cfg.file), self.profile)
        return blueprint.with_weights(weights, header=header or self.header)

    def resized(self, height: int, width: int) -> Self:
        """The network for images of another size; a `CfgError` if the shape of an array depends on the size."""
        if (height, width) == self.input_shape[1:]:
            return self
        net = self.cfg.net.replaced(height=height, width=width)
        built = type(self)._blueprint(replace(self.cfg, sections=(net, *self.cfg.sections[1:])), self.profile)
        for old, new in zip(self.layers, built.layers, strict=True):
            if old.weight_shapes() != new.weight_shapes():
                was = f"{self.input_shape.height}x{self.input_shape.width}"
                raise new.section.error(f"has weights for images of {was}, not of {height}x{width}")
        remarks = tuple(remark for remark in self.notes if remark not in built.notes)  # of the weights file
        return built.with_weights(self.weights, header=self.header, notes=remarks)

    def __repr__(self) -> str:
        numbers = sum(array.size for arrays in self.weights for array in arrays.values())
        kinds = ", ".join(head.type for head in self.heads) or "no head"
        name = Path(self.cfg.file).name
        return f"Network({name}: {len(self.layers)} layers, input {self.input_shape}, {kinds}, {numbers / 1e6:.2f} M parameters)"

    @property
    def heads(self) -> tuple[Head, ...]:
        """The layers that decode boxes, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Head))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all layers for one image."""
        return sum(layer.multiply_adds() for layer in self.layers)

    @property
    def output(self) -> int:
        """Index of the network's output: the last layer that is not ``[cost]`` (``network.c: get_network_output``)."""
        return next((layer.index for layer in reversed(self.layers) if layer.type != "cost"), len(self.layers) - 1)

    def forward(self, input_shape: Array) -> list[Array]:
        """Outputs of every layer for one image (C, H, W), computed by the reference."""
        outputs: list[Array] = []
        for layer, weights in zip(self.layers, self.weights, strict=True):
            inputs = [input_shape if source < 0 else outputs[source] for source in layer.sources]
            outputs.append(layer.forward(inputs, weights).astype(np.float32, copy=False))
        return outputs

    def save(self, cfg: str | Path, weights: str | Path) -> None:
        """Write the pair; the weights file of an unmodified network is identical to the one read."""
        write_bytes(cfg, self.cfg.format().encode("utf-8", errors="surrogateescape"), error=CfgError)
        write_weights(weights, self.layers, self.weights, header=self.header)

    @classmethod
    def _blueprint(cls, cfg: Cfg, profile: Profile) -> Self:
        """The network without arrays."""
        built = build_layers(cfg, profile)
        return cls(cfg, built.layers, (), built.input_shape, built.letter_box, profile, Header(), built.notes)
