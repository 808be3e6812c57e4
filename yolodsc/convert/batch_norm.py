"""`fold_batch_norm`: a network without batch normalization."""

from typing import TypeGuard

from yolodsc.network import ConnectedLayer, ConvolutionalLayer, Layer, Network, Weights, folded


def fold_batch_norm(network: Network) -> Network:
    """Fold batch normalization into weights and biases (``network.c: fuse_conv_batchnorm``).

    The result depends on the epsilon of the network's profile. ``[batchnorm]`` sections are not folded, because layers would be
    renumbered; nor are layers with ``xnor``, whose unscaled signs matter, or layers without stored arrays (``dontload``).
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
    """Whether a layer can be folded; layers with ``share_index`` are folded with the layer whose weights they use."""
    if isinstance(layer, ConvolutionalLayer) and (layer.share_index is not None or layer.xnor):
        return layer.share_index in done
    normalized = isinstance(layer, ConvolutionalLayer | ConnectedLayer) and layer.batch_normalize
    return normalized and layer.stored() == tuple(layer.weight_shapes())


def _folded(layer: ConvolutionalLayer | ConnectedLayer, weights: Weights) -> Weights:
    kernel, bias = folded(layer, weights)
    return {"biases": bias, "weights": kernel}
