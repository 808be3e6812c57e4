"""Files of a network: from a name, a directory or a file to cfg, weights and names, and to the `Network`."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from yolodsc.darknet import ALEXEYAB, Profile, profile_named
from yolodsc.errors import OptionError
from yolodsc.files import is_file, is_folder
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.network import InputSize, Network
    from yolodsc.precision import Quantization

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "shipped"

SHIPPED = _INSTALLED if is_folder(_INSTALLED) else _PACKAGE.parent
"""The folder with ``cfg/`` and ``weights/`` of the bundled networks: in the wheel, or in the checkout."""

DEFAULT_MODEL = "dsc-xl-voc"
"""The default network; it detects the 20 classes of PASCAL VOC."""

ARCHIVES = (".npz", ".safetensors")
"""Suffixes of files that hold a whole network."""

_EXPECTED = "expected a name, a directory, or a .cfg, .weights, .npz or .safetensors file"


class ModelFiles(Value):
    """Paths of one network; ``names`` is None if there is no list of names. ``cfg`` and ``weights`` of an archive are one path."""

    cfg: Path
    weights: Path
    names: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths that are not None."""
        pair = (self.cfg,) if self.archive else (self.cfg, self.weights)
        return (*pair, *((self.names,) if self.names else ()))

    @property
    def archive(self) -> bool:
        """Whether one ``.npz`` or ``.safetensors`` file holds the network."""
        return self.cfg == self.weights and self.cfg.suffix.lower() in ARCHIVES


def resolve_model(model: str | PathLike[str], weights: str | PathLike[str] | None = None) -> ModelFiles:
    """Return the files of a network.

    Parameters
    ----------
    model
        Name of a shipped network; a directory with one network; a ``.cfg`` or ``.weights`` file, whose counterpart has the same
        stem; or a ``.npz`` or ``.safetensors`` file. A directory with the name of a shipped network must be written as a path,
        ``./NAME``.
    weights
        The weights file of a ``.cfg``, if its stem differs.

    Raises
    ------
    OptionError
        No such network exists, or the directory holds none or several.
    """
    path, suffix = Path(model), Path(model).suffix.lower()
    if weights is not None:
        if suffix in ARCHIVES or is_folder(path):
            raise OptionError(f"model={path}: weights go with a .cfg file", parameter="model")
        return ModelFiles(path, Path(weights), names_beside(path, Path(weights)))
    if str(model) in bundled_models():
        cfg, stored = SHIPPED / "cfg" / f"{model}.cfg", SHIPPED / "weights" / f"{model}.weights"
        return ModelFiles(cfg, stored, names_beside(cfg, stored))
    if is_folder(path):
        return _in_directory(path)
    if suffix in ARCHIVES and is_file(path):
        return ModelFiles(path, path, names_beside(path, path))
    if suffix in (".cfg", ".weights") and is_file(path):
        return _pair(path)
    raise OptionError(f"model={model}: {_unknown(str(model))}", parameter="model")


def read_network(
    files: ModelFiles,
    *,
    profile: str | Profile = ALEXEYAB,
    partial: bool = False,
    allow_nonfinite: bool = False,
    size: "InputSize | None" = None,
) -> "Network":
    """Read the network of the files, at another input size if ``size`` is given; other parameters are those of `Network.load`.

    Raises
    ------
    OptionError
        ``partial`` with an archive.
    CfgError, WeightsError, ConversionError
    """
    profile = profile_named(profile)
    from yolodsc.network import Network, at_size

    if not files.archive:
        network = Network.load(files.cfg, files.weights, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite)
        return at_size(network, size)
    if partial:
        raise OptionError(f"partial=True: {files.cfg} is not a .weights file", parameter="partial")
    from yolodsc.convert import read_model

    return at_size(read_model(files.cfg, profile=profile, allow_nonfinite=allow_nonfinite).network, size)


def quantization_of(files: ModelFiles, network: "Network", precision: str) -> "Quantization | None":
    """Return the quantization beside the files if the precision uses one; errors are those of `precision.quantization_for`."""
    if precision not in ("int8", "auto"):
        return None
    from yolodsc.precision import quantization_for

    return quantization_for(precision, network, files.weights, files.cfg)


def bundled_models() -> list[str]:
    """Return the names of the shipped networks."""
    weights = {path.stem for path in (SHIPPED / "weights").glob("*.weights")}
    return sorted(path.stem for path in (SHIPPED / "cfg").glob("*.cfg") if path.stem in weights)


def names_beside(cfg: Path, weights: Path) -> Path | None:
    """Return the ``.names`` file with the stem of either file, in its folder; None if there is none."""
    candidates = [path.with_suffix(".names") for path in (cfg, weights)]
    return next((path for path in candidates if is_file(path)), None)


def _pair(path: Path) -> ModelFiles:
    """A ``.cfg`` or ``.weights`` file and its counterpart."""
    cfg, weights = path.with_suffix(".cfg"), path.with_suffix(".weights")
    for other in (cfg, weights):
        if not is_file(other):
            raise OptionError(f"model={path}: no file {other}; expected it, or both paths", parameter="model")
    return ModelFiles(cfg, weights, names_beside(cfg, weights))


def _unknown(model: str) -> str:
    """Why a model that names nothing is refused."""
    from difflib import get_close_matches

    if is_file(Path(model)):
        written = "; .onnx files are written, not read" if Path(model).suffix.lower() == ".onnx" else ""
        return f"not a file of a network; {_EXPECTED}{written}"
    names = bundled_models()
    near = get_close_matches(model, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    shipped = ", ".join(names) or "none yet"
    return f"neither a directory nor a shipped network (shipped: {shipped}), nor a file{hint or f'; {_EXPECTED}'}"


def _in_directory(folder: Path) -> ModelFiles:
    archives = sorted(path for ending in ARCHIVES for path in folder.glob(f"*{ending}"))
    if len(archives) == 1 and not any(folder.glob("*.cfg")):
        return ModelFiles(archives[0], archives[0], _names_in(folder, archives[0], archives[0]))
    cfg, weights = _only(folder, ".cfg"), _only(folder, ".weights")
    return ModelFiles(cfg, weights, _names_in(folder, cfg, weights))


def _names_in(folder: Path, cfg: Path, weights: Path) -> Path | None:
    """The only list of names in a directory, or the one beside the network's files."""
    names = sorted(folder.glob("*.names"))
    return names[0] if len(names) == 1 else names_beside(cfg, weights)


def _only(folder: Path, ending: str) -> Path:
    found = sorted(folder.glob(f"*{ending}"))
    if len(found) != 1:
        raise OptionError(f"model={folder}: {len(found)} {ending} files; expected one", parameter="model")
    return found[0]
