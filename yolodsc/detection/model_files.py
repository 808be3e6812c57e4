"""Files of a network: from a name or a directory to cfg, weights and names."""

from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.files import is_file, is_folder
from yolodsc.values import Value

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "shipped"

SHIPPED = _INSTALLED if is_folder(_INSTALLED) else _PACKAGE.parent
"""The folder with ``cfg/`` and ``weights/`` of the bundled networks: in the wheel, or in the checkout."""

DEFAULT_MODEL = "dsc-nano-voc"
"""The default network; it detects the 20 classes of PASCAL VOC."""


class ModelFiles(Value):
    """Paths of one network; ``names`` is None if there is no list of names."""

    cfg: Path
    weights: Path
    names: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths that are not None."""
        return (self.cfg, self.weights, *((self.names,) if self.names else ()))


def resolve_model(model: str) -> ModelFiles:
    """Return the files of a shipped network by name, or of a directory with one network.

    A directory with the name of a shipped network must be written as a path, ``./NAME``.

    Raises
    ------
    OptionError
        No such network exists, or the directory holds none or several.
    """
    if model in bundled_models():
        cfg, weights = SHIPPED / "cfg" / f"{model}.cfg", SHIPPED / "weights" / f"{model}.weights"
        return ModelFiles(cfg, weights, names_beside(cfg, weights))
    if not is_folder(model):
        names = ", ".join(bundled_models()) or "none yet"
        raise OptionError(f"model={model}: neither a directory nor a shipped network (shipped: {names})", parameter="model")
    return _in_directory(Path(model))


def bundled_models() -> list[str]:
    """Return the names of the shipped networks."""
    weights = {path.stem for path in (SHIPPED / "weights").glob("*.weights")}
    return sorted(path.stem for path in (SHIPPED / "cfg").glob("*.cfg") if path.stem in weights)


def names_beside(cfg: Path, weights: Path) -> Path | None:
    """Return the ``.names`` file with the stem of either file, in its folder; None if there is none."""
    candidates = [path.with_suffix(".names") for path in (cfg, weights)]
    return next((path for path in candidates if is_file(path)), None)


def _in_directory(folder: Path) -> ModelFiles:
    cfg, weights = _only(folder, ".cfg"), _only(folder, ".weights")
    names = sorted(folder.glob("*.names"))
    return ModelFiles(cfg, weights, names[0] if len(names) == 1 else names_beside(cfg, weights))


def _only(folder: Path, ending: str) -> Path:
    found = sorted(folder.glob(f"*{ending}"))
    if len(found) != 1:
        raise OptionError(f"model={folder}: {len(found)} {ending} files; expected one", parameter="model")
    return found[0]
