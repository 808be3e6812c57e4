"""Classes of a network: how many its heads report, their names, and selections of them."""

from collections.abc import Iterable, Sequence
from operator import index
from os import PathLike
from pathlib import Path
from typing import SupportsIndex

from yolodsc.darknet import read_data_names, read_names, require_class_count
from yolodsc.errors import CfgError, OptionError
from yolodsc.network import Network

ClassSelection = str | SupportsIndex | Iterable[str | SupportsIndex]
"""Classes by name or number: one of them, text that lists several separated by commas, or a collection."""


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
        hint = "; yolodsc.load_classifier loads classifiers" if is_classifier(network) else ""
        raise CfgError(f"{network.cfg.file}: no detection head in this network; {expected}{hint}")
    if len(counts) > 1:
        raise CfgError(f"{network.cfg.file}: heads of {' and '.join(map(str, sorted(counts)))} classes; expected one count")
    return counts.pop()


def is_classifier(network: Network) -> bool:
    """Whether the network ends in one number for each class."""
    output = network.layers[network.output]
    return not network.heads and (output.type == "softmax" or output.shape[1:] == (1, 1))


def classifier_outputs(network: Network) -> int:
    """Return the number of classes of a classifier.

    Raises
    ------
    CfgError
        The network has heads, or its output is a feature map.
    """
    if network.heads:
        raise CfgError(f"{network.cfg.file}: this network has detection heads; expected a classifier, yolodsc.load loads detectors")
    output = network.layers[network.output]
    if not is_classifier(network):
        raise output.section.error(f"gives a feature map of {output.shape}; expected a classifier, one number for each class")
    return output.shape.size


def class_names(network: Network, listed: tuple[str, ...], *, source: str) -> tuple[str, ...]:
    """Return the names of a list after checking their number against the heads.

    Parameters
    ----------
    source
        The file of the list, for the message.

    Raises
    ------
    DatasetError
        The number of names differs from the number of classes.
    """
    if not (network.heads or is_classifier(network)):
        return listed
    classes = reported_classes(network) if network.heads else classifier_outputs(network)
    return require_class_count(listed, classes=classes, source=source)


def listed_names(
    network: Network, names: str | PathLike[str] | Sequence[str] | None, *, data: str | Path | None = None
) -> tuple[str, ...]:
    """Class names from a file, a ``.data`` file or a list, after checking their number; empty without any."""
    if names is not None and not isinstance(names, str | PathLike):
        return class_names(network, tuple(names), source="names")
    if names is None and data is None:
        return ()
    listed = read_names(str(names)) if names is not None else read_data_names(data or "")
    return class_names(network, listed, source=str(names or data))


def class_numbers(names: tuple[str, ...], selection: ClassSelection) -> list[int]:
    """Return the class numbers of names or numbers; text may list several, separated by commas.

    Raises
    ------
    OptionError
        The list is empty, or one of its names or numbers is unknown.
    """
    numbers = selected_classes(names, selection)
    if not numbers:
        raise OptionError("classes: empty list; expected at least one class", parameter="classes")
    return numbers


def selected_classes(names: tuple[str, ...], selection: ClassSelection) -> list[int]:
    """Return the class numbers of names or numbers; none of an empty list.

    Raises
    ------
    OptionError
        A name or number is unknown.
    """
    if isinstance(selection, str):
        whole = selection in names
        return [_number(names, part) for part in ([selection] if whole else map(str.strip, selection.split(","))) if part]
    if isinstance(selection, SupportsIndex):
        return [_number(names, index(selection))]
    return [_number(names, one if isinstance(one, str) else index(one)) for one in selection]


def _number(names: tuple[str, ...], chosen: str | int) -> int:
    """The number of one class."""
    if chosen in names:
        return names.index(chosen)
    text = str(chosen)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    from difflib import get_close_matches

    near = get_close_matches(text, names, n=1)
    known = f"{', '.join(names[:8])}{' …' * (len(names) > 8)}"
    hint = f"; did you mean {near[0]}?" if near else ""
    raise OptionError(f"classes={text}: unknown class; expected {known}{hint}", parameter="classes")
