"""Where a network's files are: ``--model NAME|DIR`` to cfg, weights and names."""

from dataclasses import dataclass
from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.files import is_file, is_folder

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "shipped"

SHIPPED = _INSTALLED if is_folder(_INSTALLED) else _PACKAGE.parent
"""The folder whose ``cfg/`` and ``weights/`` hold the networks that come with the program: in the wheel, or in the checkout."""

DEFAULT_MODEL = "dsc-nano-voc"
"""The shipped network that serves where none is named: the 20 classes of PASCAL VOC."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Paths of one network; ``names`` is None where there is no list of names."""

    cfg: Path
    weights: Path
    names: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that there are."""
        return (self.cfg, self.weights, *((self.names,) if self.names else ()))


def resolve_model(model: str) -> ModelFiles:
    """The files of a shipped network by name, or of a directory that holds one network.

    A directory that is named as a shipped network is meant where it is written as a path, ``./NAME``.

    Raises
    ------
    OptionError
        There is no such network, or the directory holds none or several.
    """
    if model in bundled_models():
        cfg, weights = SHIPPED / "cfg" / f"{model}.cfg", SHIPPED / "weights" / f"{model}.weights"
        return ModelFiles(cfg, weights, names_beside(cfg, weights))
    if not is_folder(model):
        names = ", ".join(bundled_models()) or "none yet"
        raise OptionError(f"model {model}: neither a directory nor a shipped network (shipped: {names})")
    return _in_directory(Path(model))


def bundled_models() -> list[str]:
    """Names of the networks that come with the program."""
    weights = {path.stem for path in (SHIPPED / "weights").glob("*.weights")}
    return sorted(path.stem for path in (SHIPPED / "cfg").glob("*.cfg") if path.stem in weights)


def names_beside(cfg: Path, weights: Path) -> Path | None:
    """The ``.names`` file with the stem of either file, in either folder."""
    candidates = [path.with_suffix(".names") for path in (cfg, weights)]
    return next((path for path in candidates if is_file(path)), None)


def _in_directory(folder: Path) -> ModelFiles:
    cfg, weights = _only(folder, ".cfg"), _only(folder, ".weights")
    names = sorted(folder.glob("*.names"))
    return ModelFiles(cfg, weights, names[0] if len(names) == 1 else names_beside(cfg, weights))


def _only(folder: Path, ending: str) -> Path:
    files = sorted(folder.glob(f"*{ending}"))
    if len(files) != 1:
        raise OptionError(f"model {folder}: {len(files)} {ending} files; expected one (or cfg and weights)")
    return files[0]
