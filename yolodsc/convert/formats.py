"""Model files, selected by suffix: a ``.cfg``/``.weights`` pair, ``.npz``, ``.safetensors``, and (write only) ``.onnx``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from yolodsc.convert import archives
from yolodsc.convert.onnx.export import Heads, export_onnx
from yolodsc.convert.onnx.quantized import Int8Form
from yolodsc.darknet import ALEXEYAB, Profile
from yolodsc.errors import ConversionError
from yolodsc.files import replacing, write_bytes
from yolodsc.network import Network, require_finite, write_weights
from yolodsc.precision import Quantization

READABLE = (".cfg", ".weights", ".npz", ".safetensors")
WRITABLE = (*READABLE, ".onnx")


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A network and the original text of its cfg, comments included."""

    network: Network
    text: str

    @classmethod
    def of(cls, network: Network) -> Self:
        """A network with the text of its sections."""
        return cls(network, network.cfg.format())


def read_model(
    path: str | Path, *, weights: str | Path | None = None, profile: Profile = ALEXEYAB, allow_nonfinite: bool = False
) -> ModelFile:
    """Read a network from any of the formats.

    Parameters
    ----------
    path
        A ``.cfg`` or ``.weights`` file, whose counterpart has the same stem; or an ``.npz`` or ``.safetensors`` from `write_model`.
    weights
        The weights file of a ``.cfg``, if its name differs.
    allow_nonfinite
        Accept NaN, infinity, and variances for which batch normalization gives NaN.

    Raises
    ------
    ConversionError, CfgError, WeightsError
    MissingExtraError
        The library for ``.safetensors`` is not installed.
    """
    path = Path(path)
    ending = _ending(path, READABLE)
    if weights is not None and ending != ".cfg":
        raise ConversionError(f"{path}: separate weights are accepted with a .cfg only")
    if ending in (".cfg", ".weights"):
        return _read_pair(
            path.with_suffix(".cfg"), Path(weights or path.with_suffix(".weights")), profile, allow_nonfinite=allow_nonfinite
        )
    network, text = archives.read(path, profile)
    if not allow_nonfinite:
        require_finite(str(path), network.layers, network.weights, profile)
    return ModelFile(network, text)


def model_paths(path: str | Path) -> tuple[Path, ...]:
    """The files that `write_model` writes for a path; a `ConversionError` if the suffix is unknown."""
    path = Path(path)
    if _ending(path, WRITABLE) in (".cfg", ".weights"):
        return path.with_suffix(".cfg"), path.with_suffix(".weights")
    return (path,)


def write_model(
    model: ModelFile,
    path: str | Path,
    *,
    heads: Heads = "activated",
    dynamic_batch: bool = False,
    quantization: Quantization | None = None,
    int8_form: Int8Form = "fast",
) -> None:
    """Write a network in the format of the path's suffix, replacing existing files atomically.

    For ``.cfg`` or ``.weights`` both files are written. ``heads``, ``dynamic_batch``, ``quantization`` and ``int8_form`` are
    parameters of `export_onnx`.

    Raises
    ------
    ConversionError, WeightsError
        The network cannot be expressed, or the file cannot be written.
    MissingExtraError
        The library for ``.safetensors`` or ``.onnx`` is not installed.
    """
    path = Path(path)
    ending = _ending(path, WRITABLE)
    if ending == ".onnx":
        export_onnx(model.network, path, heads=heads, dynamic_batch=dynamic_batch, quantization=quantization, int8_form=int8_form)
    elif ending in (".cfg", ".weights"):
        _write_pair(model, *model_paths(path))
    else:
        archive = archives.packed(model.network, model.text)
        content = archives.npz(archive) if ending == ".npz" else archives.safetensors(archive)
        write_bytes(path, content, error=ConversionError)


def _read_pair(cfg: Path, weights: Path, profile: Profile, *, allow_nonfinite: bool) -> ModelFile:
    network = Network.load(cfg, weights, profile=profile, allow_nonfinite=allow_nonfinite)
    return ModelFile(network, cfg.read_bytes().decode("utf-8", errors="surrogateescape"))


def _write_pair(model: ModelFile, cfg: Path, weights: Path) -> None:
    """Write both files; the cfg is replaced after the weights."""
    with replacing(cfg, error=ConversionError) as file:
        file.write(model.text.encode("utf-8", errors="surrogateescape"))
        write_weights(weights, model.network.layers, model.network.weights, header=model.network.header)


def _ending(path: Path, known: tuple[str, ...]) -> str:
    ending = path.suffix.lower()
    if ending not in known:
        raise ConversionError(f"{path}: expected a file that ends in {', '.join(known)}")
    return ending
