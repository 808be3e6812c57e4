"""Replacement of single convolutions by chains: sections, indices, arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from yolodsc.darknet import Option, Section
from yolodsc.decompose.factor.forms import Form
from yolodsc.decompose.factor.gram import Matrix
from yolodsc.decompose.factor.stage import Stage
from yolodsc.decompose.target import DecompositionTarget, convolutions, producer_of
from yolodsc.errors import DecompositionError
from yolodsc.network import ConvolutionalLayer, Network, Weights, geometry_options, renumbered


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Convolutions that replace one convolution: stages without bias, and the bias (F,) of the last one.

    Inner stages have no bias, because before a zero-padded convolution it would change the values at the borders.
    """

    stages: tuple[Stage, ...]
    biases: Matrix


def regular(target: DecompositionTarget, *, weights: Matrix | None = None, biases: Matrix | None = None) -> Chain:
    """The convolution itself, batch normalization folded, or with other weights."""
    kernel = target.weights if weights is None else weights
    stage = Stage(kernel, target.layer.groups, spatial=True)
    return Chain((stage,), target.biases if biases is None else biases)


def joined(forms: Sequence[Form], biases: Matrix) -> Chain:
    """One chain for all groups of a convolution: parallel stages are concatenated."""
    if len(forms) == 1:
        return Chain(forms[0].stages(), biases)
    parallel = zip(*(form.stages() for form in forms), strict=True)
    stages = (
        Stage(np.concatenate([s.weights for s in group]), sum(s.groups for s in group), group[0].spatial) for group in parallel
    )
    return Chain(tuple(stages), biases)


def assemble(network: Network, chains: Mapping[int, Chain]) -> Network:
    """The network with the given convolutions replaced, the batch normalization of all others folded, and references renumbered."""
    every = narrowed(network, chains)
    lengths = [len(every[layer.index].stages) if layer.index in every else 1 for layer in network.layers]
    last = [int(end) - 1 for end in np.cumsum(lengths)]
    sections: list[Section] = [network.cfg.net]
    arrays: list[Weights] = []
    for layer, weights in zip(network.layers, network.weights, strict=True):
        if layer.index in every and isinstance(layer, ConvolutionalLayer):
            sections += chain_sections(layer, every[layer.index])
            arrays += chain_arrays(every[layer.index])
        else:
            sections.append(renumbered(layer.section, layer.index, last))
            arrays.append(weights)
    return network.with_sections(sections, arrays)


def narrowed(network: Network, chains: Mapping[int, Chain]) -> dict[int, Chain]:
    """The chains of all convolutions: the given ones, and the others as they are, without filters that no layer reads."""
    every = {i: regular(target) for i, target in convolutions(network).items()} | dict(chains)
    for index, chain in chains.items():
        if (kept := chain.stages[0].inputs) is None:
            continue
        before = producer_of(network, network.layers[index])
        if before is None:
            raise DecompositionError(f"layer {index}: reads some channels of layers that others read too")
        every[before] = Chain(_filters(every[before].stages, list(kept)), every[before].biases[list(kept)])
    return every


def _filters(stages: tuple[Stage, ...], kept: list[int]) -> tuple[Stage, ...]:
    """Some of the filters; where each filter has its own channel, the same channels of the stages before."""
    *before, last = stages
    if last.groups == 1:
        return (*before, replace(last, weights=last.weights[kept]))
    return (*_filters(tuple(before), kept), replace(last, weights=last.weights[kept], groups=len(kept)))


def chain_sections(layer: ConvolutionalLayer, chain: Chain) -> list[Section]:
    """The cfg sections of a chain."""
    return [_section(layer, stage, last=stage is chain.stages[-1]) for stage in chain.stages]


def chain_arrays(chain: Chain) -> list[Weights]:
    """Float32 arrays of each stage; inner biases are zero."""
    out: list[Weights] = []
    for stage in chain.stages:
        biases = chain.biases if stage is chain.stages[-1] else np.zeros(len(stage.weights))
        out.append({"biases": biases.astype(np.float32), "weights": stage.weights.astype(np.float32)})
    return out


def _section(layer: ConvolutionalLayer, stage: Stage, *, last: bool) -> Section:
    """The cfg section of one stage; the last has the activation, the spatial one the geometry."""
    options: dict[str, int | str | None] = {"filters": len(stage.weights), "size": stage.weights.shape[2], "stride": 1}
    if stage.groups > 1:
        options["groups"] = stage.groups
    if stage.spatial:
        options |= geometry_options(layer)
        options["antialiasing"] = layer.antialiasing or None
    options["activation"] = layer.activation if last else "linear"
    return Section("convolutional", tuple(Option(key, str(value)) for key, value in options.items() if value is not None))
