"""Class names: ``.names`` files, and the ``.data`` files that point to them."""

from pathlib import Path

from yolodsc.errors import DatasetError
from yolodsc.files import is_file, text_of


def read_names(path: str | Path) -> tuple[str, ...]:
    """Read one name per line; trailing blanks are kept, empty lines at the end of the file are ignored."""
    names = _lines(path)
    while names and not names[-1].strip():
        names.pop()
    if not names:
        raise DatasetError(f"{path}: no names; expected one per line")
    return tuple(names)


def read_data(path: str | Path) -> dict[str, str]:
    """The options of a ``.data`` file: the first of equal keys is used (``option_list.c: read_data_cfg``)."""
    options: dict[str, str] = {}
    for line in _lines(path):
        bare = "".join(line.split())
        key, equals, value = bare.partition("=")
        if bare[:1] not in ("", "#", ";") and equals and value:
            options.setdefault(key, value)
    return options


def read_data_names(path: str | Path) -> tuple[str, ...]:
    """Read the names that a ``.data`` file refers to.

    Relative paths are resolved against the working directory, the directory of the file, and its parent, in this order.
    """
    options = read_data(path)
    name = options.get("names") or options.get("labels")
    if name is None:
        raise DatasetError(f"{path}: no names=; expected the path of a .names file")
    beside = Path(path).parent
    found = next((p for p in (Path(name), beside / name, beside.parent / name) if is_file(p)), None)
    if found is None:
        raise DatasetError(f"{path}: names={name}: no such file")
    return read_names(found)


def require_class_count(names: tuple[str, ...], *, classes: int, source: str) -> tuple[str, ...]:
    """Return the names; raise a `DatasetError`, which begins with ``source``, unless there is one for each class."""
    if len(names) != classes:
        raise DatasetError(f"{source}: {len(names)} names; the network has {classes} classes")
    return names


def _lines(path: str | Path) -> list[str]:
    return [line.rstrip("\r") for line in text_of(path, error=DatasetError).split("\n")]
