"""Sections of derived networks: references to layers, and the options of a convolution's geometry."""

from collections.abc import Sequence

from yolodsc.darknet import Section
from yolodsc.network.layers.convolutional import ConvolutionalLayer

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


def geometry_options(layer: ConvolutionalLayer) -> dict[str, int | None]:
    """Return the options of a section for a convolution's strides, padding and dilation; None where the default holds."""
    uneven, padded = layer.stride_x != layer.stride_y, layer.padding == layer.size // 2
    return {
        "stride": layer.stride_x,
        "stride_x": layer.stride_x if uneven else None,
        "stride_y": layer.stride_y if uneven else None,
        "pad": 1 if padded else None,
        "padding": None if padded else layer.padding,
        "dilation": layer.dilation if layer.dilation > 1 else None,
    }
