"""References between sections after layers have been added or removed."""

from collections.abc import Sequence

from yolodsc.darknet import Section

_REFERENCES = ("layers", "from", "share_index")


def renumbered(section: Section, index: int, numbers: Sequence[int]) -> Section:
    """The section of layer ``index`` with every reference to a layer updated; relative references stay relative.

    Parameters
    ----------
    numbers
        For each old layer index, the index of the new layer that has its output.
    """
    values: dict[str, str | int | None] = {}
    for key in _REFERENCES:
        if section.has(key):
            updated = [numbers[i] if i >= 0 else numbers[index + i] - numbers[index] for i in section.layer_indices(key)]
            values[key] = ",".join(map(str, updated))
    return section.replaced(**values)
