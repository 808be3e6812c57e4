"""Batch norm into weights and biases."""

from typing import TypeGuard

from yolodsc.network import ConnectedLayer, ConvolutionalLayer, Layer, Network, Weights, folded


def fold_batch_norm(network: Network) -> Network:
    """The network without ``batch_normalize``: its factors in the weights, its offsets in the biases (``fuse_conv_batchnorm``).

    The profile's epsilon is in the result. Left as they are: ``[batchnorm]`` sections, whose removal would renumber layers, and
    layers with ``xnor`` (the signs of unscaled weights count) or with arrays that the file does not hold (``dontload``).
    """
    done: set[int] = set()
    sections, arrays = [network.cfg.net], []
    for layer, weights in zip(network.layers, network.weights, strict=True):
        if _foldable(layer, done):
            done.add(layer.index)
            sections.append(layer.section.replaced(batch_normalize=None, cbn=None))
            arrays.append(_folded(layer, weights) if layer.weight_shapes() else weights)
        else:
            sections.append(layer.section)
            arrays.append(weights)
    return network.with_sections(sections, arrays)


def _foldable(layer: Layer, done: set[int]) -> TypeGuard[ConvolutionalLayer | ConnectedLayer]:
    """Layers with ``share_index`` go with the layer that they share."""
    if isinstance(layer, ConvolutionalLayer) and (layer.share_index is not None or layer.xnor):
        return layer.share_index in done
    normalized = isinstance(layer, ConvolutionalLayer | ConnectedLayer) and layer.batch_normalize
    return normalized and layer.stored() == tuple(layer.weight_shapes())


def _folded(layer: ConvolutionalLayer | ConnectedLayer, weights: Weights) -> Weights:
    kernel, bias = folded(layer, weights)
    return {"biases": bias, "weights": kernel}
