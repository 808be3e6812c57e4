"""Classes of a network: how many its heads report, their names, and selections of them."""

from yolodsc.darknet import require_class_count
from yolodsc.errors import CfgError, OptionError
from yolodsc.network import Network


def reported_classes(network: Network) -> int:
    """Return the number of classes that the heads report.

    Raises
    ------
    CfgError
        The network has no head, or its heads differ.
    """
    counts = {head.reported for head in network.heads}
    if not counts:
        expected = "expected [yolo], [Gaussian_yolo], [region] or [detection]"
        raise CfgError(f"{network.cfg.file}: no detection head in this network; {expected}")
    if len(counts) > 1:
        raise CfgError(f"{network.cfg.file}: heads of {' and '.join(map(str, sorted(counts)))} classes; expected one count")
    return counts.pop()


def class_names(network: Network, listed: tuple[str, ...], *, place: str) -> tuple[str, ...]:
    """Return the names of a list after checking their number against the heads.

    Parameters
    ----------
    place
        The file of the list, for the message.

    Raises
    ------
    DatasetError
        The number of names differs from the number of classes.
    """
    return require_class_count(listed, classes=reported_classes(network), source=place) if network.heads else listed


def class_numbers(names: tuple[str, ...], selection: str) -> list[int]:
    """Return the class numbers of a comma-separated list of names or numbers.

    Raises
    ------
    OptionError
        The list is empty, or one of its names or numbers is unknown.
    """
    numbers = []
    for part in filter(None, (part.strip() for part in selection.split(","))):
        if part in names:
            numbers.append(names.index(part))
        elif part.isdecimal() and int(part) < len(names):
            numbers.append(int(part))
        else:
            known = f"{', '.join(names[:8])}{' …' * (len(names) > 8)}"
            raise OptionError(f"classes={part}: unknown class; expected {known}", parameter="classes")
    if not numbers:
        raise OptionError("classes: empty list; expected at least one class", parameter="classes")
    return numbers
