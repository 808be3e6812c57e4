"""``yolodsc convert``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from yolodsc.cli import options
from yolodsc.cli.terminal import note
from yolodsc.convert import READABLE, ModelFile, first_layers, fold_batch_norm, fold_separable, model_paths, read_model, write_model
from yolodsc.darknet import profile_named
from yolodsc.detection import names_beside, resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import exists, is_file, read_bytes, write_bytes
from yolodsc.network import at_size
from yolodsc.precision import quantization_for
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.precision import Quantization


class Heads(StrEnum):
    """Outputs of an ``.onnx`` file."""

    activated = "activated"
    raw = "raw"


class OnnxOptions(Value, kw_only=True):
    """Options of ``.onnx`` files."""

    heads: Annotated[
        Heads | None, typer.Option(help="Outputs of an ONNX file: activated as in Darknet, or raw.", show_default="activated")
    ] = None
    dynamic_batch: Annotated[bool, typer.Option("--dynamic-batch", help="Let an ONNX file take any number of images at once.")] = (
        False
    )
    int8: Annotated[
        bool, typer.Option("--int8", help="Write an ONNX file with 8-bit weights, from the quantization beside the network.")
    ] = False
    exact: Annotated[
        bool, typer.Option("--exact", help="With --int8: the bytes of this engine in ONNX Runtime, slower than the usual form.")
    ] = False

    @property
    def given(self) -> str | None:
        """One of these options that is given."""
        return "--heads" if self.heads else "--dynamic-batch" if self.dynamic_batch else "--int8" if self.int8 else None

    def write(self, model: ModelFile, target: Path, quantization: "Quantization | None") -> None:
        """Write a network in the form that the options describe, which other formats do not have."""
        write_model(
            model,
            target,
            heads=(self.heads or Heads.activated).value,
            dynamic_batch=self.dynamic_batch,
            quantization=quantization,
            int8_form="exact" if self.exact else "fast",
        )


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="Network to read: a .cfg, .weights, .npz or .safetensors file, a directory, or a name."),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="File to write: one of the same formats, or .onnx. A .cfg and its .weights go together."
        ),
    ],
    *,
    weights: Annotated[
        Path | None, typer.Option(metavar="F", help="Weights file of the .cfg file.", show_default="with the same stem")
    ] = None,
    partial: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number of layers to keep from the start, as darknet partial does.", show_default="all"),
    ] = None,
    size: options.Size = None,
    batch_norm: Annotated[bool, typer.Option("--fold-batch-norm", help="Fold batch norm into weights and biases.")] = False,
    separable: Annotated[
        bool, typer.Option("--fold-separable", help="Fold depthwise and pointwise layers into regular ones.")
    ] = False,
    onnx: OnnxOptions,
    profile: options.ProfileName = "alexeyab",
    allow_nonfinite: options.AllowNonfinite = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> int:
    """Write a network in another format or form."""
    _ensure_writable(target, onnx, force=force)
    source, weights, names = _resolved(source, weights)
    named = None if partial is not None or names is None else NamesCopy.of(names, target, force=force)
    if onnx.exact and not onnx.int8:
        raise OptionError("--exact: expected --int8 with it")
    if onnx.int8 and (partial is not None or separable or batch_norm):
        raise OptionError("--int8 is of the network as it was quantized; expected no option that changes its layers")
    model = read_model(source, weights=weights, profile=profile_named(profile), allow_nonfinite=allow_nonfinite)
    quantization = quantization_for("int8", model.network, weights or source, source) if onnx.int8 else None
    if size is not None:
        model = ModelFile.of(at_size(model.network, size))
    model = _derived(model, partial=partial, separable=separable, batch_norm=batch_norm)
    onnx.write(model, target, quantization)
    note(f"wrote {' and '.join(map(str, (*model_paths(target), *(named.write() if named else ()))))}")
    return 0


class NamesCopy(Value):
    """Class names of a network, and the file beside its new form that gets them."""

    content: bytes
    target: Path

    @classmethod
    def of(cls, names: Path, model: Path, *, force: bool) -> Self:
        """The copy for a new file; an `OptionError` if it would replace a list of other names without ``--force``."""
        content, target = read_bytes(names, error=OptionError), model.with_suffix(".names")
        if exists(target) and not force and read_bytes(target, error=OptionError) != content:
            raise OptionError(f"{target} is there already, with other names than {names}; expected another name, or --force")
        return cls(content, target)

    def write(self) -> tuple[Path, ...]:
        """Write the file, unless it is there; return what was written."""
        if exists(self.target) and read_bytes(self.target, error=OptionError) == self.content:
            return ()
        write_bytes(self.target, self.content, error=OptionError)
        return (self.target,)


def _derived(model: ModelFile, *, partial: int | None, separable: bool, batch_norm: bool) -> ModelFile:
    """The network in the requested form."""
    if partial is not None:
        model = ModelFile.of(first_layers(model.network, partial))
    if separable:
        model = ModelFile.of(fold_separable(model.network))
    if batch_norm:
        model = ModelFile.of(fold_batch_norm(model.network))
    return model


def _resolved(source: Path, weights: Path | None) -> tuple[Path, Path | None, Path | None]:
    """The file to read, its weights if they are in another place, and its class names, if there is a list of them."""
    if weights is not None or is_file(source) or source.suffix.lower() in READABLE:
        return source, weights, names_beside(source, weights or source)
    try:
        files = resolve_model(str(source))
    except OptionError as error:
        raise OptionError(str(error).removeprefix("model=")) from None
    return files.cfg, None if files.archive else files.weights, files.names


def _ensure_writable(target: Path, onnx: OnnxOptions, *, force: bool) -> None:
    """Raise an `OptionError` if a file would be overwritten without ``--force``, or if options of ONNX go with another format."""
    for path in model_paths(target):
        if exists(path) and not force:
            raise OptionError(f"{path} is there already; expected another name, or --force")
    if target.suffix.lower() != ".onnx" and onnx.given:
        raise OptionError(f"{onnx.given} goes with an .onnx file; found {target}")
