"""`quantize`: from a network and unlabelled images to a quantized network."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

import yolodsc
from yolodsc.arrays import Array
from yolodsc.decompose import ProgressCallback
from yolodsc.errors import QuantizationError
from yolodsc.network import Network
from yolodsc.precision import (
    Int8Weights,
    Quantization,
    TensorScale,
    byte_tensors,
    check_quantization,
    int8_candidates,
    sources,
)
from yolodsc.quantize.agreement import Original
from yolodsc.quantize.calibration import Moments, patch_moments, sample_tensors
from yolodsc.quantize.channel_classes import channel_classes
from yolodsc.quantize.equalization import equalizing_factors, scaled
from yolodsc.quantize.layers import int8_weights, relative_error
from yolodsc.quantize.scales import tensor_scales
from yolodsc.quantize.selection import TensorError, allowed_prefix, ranked, shortest_prefix, tensor_errors, without
from yolodsc.quantize.settings import QuantizedLayer, QuantizedNetwork, QuantizeSettings
from yolodsc.quantize.time_model import milliseconds

SAMPLE_IMAGES = 64
"""Images on which ranges are searched."""

SENSITIVITY_IMAGES = 8
"""Images on which the error of every tensor is measured."""

EQUALIZED_GAIN = 0.97
"""Equalization is kept if it lowers the error of the tensors to this share."""


def quantize(
    network: Network, images: Array, settings: QuantizeSettings, *, progress: ProgressCallback | None = None
) -> QuantizedNetwork:
    """Quantize a network to int8.

    Parameters
    ----------
    images : (N, C, H, W)
        Unlabelled images as the network reads them; nothing is fitted on the last share ``settings.held_back`` of them.
    progress
        Called at every stage with its description and the share of the work that is done.

    Raises
    ------
    QuantizationError
        No layer can run in int8, or there are too few images.
    """
    begin, report = time.perf_counter(), progress or (lambda what, share: None)
    int8 = int8_candidates(network)
    if not int8:
        raise QuantizationError(f"{network.cfg.file}: nothing to quantize: no convolution with a sum over channels")
    if len(images) < 2:
        raise QuantizationError(f"{len(images)} images; expected at least 2, better 300")
    held = max(1, round(len(images) * settings.held_back))
    fitted = images[: len(images) - held]
    with threadpool_limits(1, user_api="blas"):
        report("running the original network", 0.0)
        original = Original(network, images, threads=settings.threads)
        equalized, scales = _scales(network, int8, fitted, original, settings, report)
        report("rounding weights", 0.3)
        moments = patch_moments(equalized, fitted, int8, scales, threads=settings.threads, seed=settings.seed)
        everything = _rounded(equalized, int8, moments, scales, settings.threads)
        errors = tensor_errors(
            equalized,
            everything,
            original,
            _spread(len(fitted), SENSITIVITY_IMAGES),
            lambda s: report("errors of tensors", 0.5 + 0.3 * s),
        )
        report("choosing precisions", 0.8)
        chosen = _chosen(equalized, everything, errors, original, settings)
        check_quantization(equalized, chosen)
        last = slice(len(images) - held, None)
        found = original.agreement(equalized, chosen) if network.heads else None
        agreement = None if found is None else (original.f1(found), original.f1(found, last))
        error = original.error(equalized, chosen, range(len(images))[last])
    report("done", 1.0)
    layers = tuple(_result(equalized, i, moments[i], everything, chosen, errors) for i in int8)
    is_equalized = equalized is not network
    chosen = replace(chosen, provenance=_provenance(len(images), settings, is_equalized, agreement))
    return QuantizedNetwork(equalized, chosen, layers, error, agreement, is_equalized, settings, time.perf_counter() - begin)


def _scales(
    network: Network, int8: Sequence[int], images: Array, original: Original, settings: QuantizeSettings, report: ProgressCallback
) -> tuple[Network, dict[int, TensorScale]]:
    """The network, equalized if that lowers the error of its tensors, and their scales."""
    tensors = sorted({index for group in byte_tensors(network, int8) for index in group})
    part = images[_spread(len(images), SAMPLE_IMAGES)]
    report("sampling tensors", 0.1)
    samples = sample_tensors(network, part, tensors, threads=settings.threads, seed=settings.seed)
    scales = tensor_scales(network, int8, samples)
    if not settings.equalize:
        return network, scales
    report("equalization", 0.2)
    classes = channel_classes(network)
    factors = equalizing_factors(network, classes, int8, samples)
    if np.all(factors == 1):
        return network, scales
    other = scaled(network, classes, factors)
    divided = {i: sample.divided(factors[classes.of[i]]) for i, sample in samples.items()}
    other_scales = tensor_scales(other, int8, divided)
    chosen = _spread(len(images), SENSITIVITY_IMAGES)
    before, after = (
        original.error(candidate, Quantization({}, found, {}), chosen, simulated=True)
        for candidate, found in ((network, scales), (other, other_scales))
    )
    return (other, other_scales) if after < EQUALIZED_GAIN * before else (network, scales)


def _rounded(
    network: Network, int8: Sequence[int], moments: Mapping[int, Moments], scales: Mapping[int, TensorScale], threads: int
) -> Quantization:
    """All candidates in 8 bits."""

    def weights(index: int) -> Int8Weights:
        return int8_weights(network, index, moments[index], input_scale=scales[sources(network, index)[0]].scale)

    with ThreadPoolExecutor(threads, thread_name_prefix="quantize") as pool:
        found = dict(zip(int8, pool.map(weights, int8), strict=True))
    return Quantization(dict.fromkeys(int8, "int8"), scales, found)


def _chosen(
    network: Network, everything: Quantization, errors: Sequence[TensorError], original: Original, settings: QuantizeSettings
) -> Quantization:
    """The quantization with the layers in float32 that the budget allows or the agreement needs."""
    sets = ranked(network, everything, errors)
    if settings.budget_ms is not None:
        budget = settings.budget_ms

        def too_slow(layers: frozenset[int]) -> bool:
            return milliseconds(network, without(network, everything, layers), threads=settings.threads) > budget

        if too_slow(frozenset()):
            raise QuantizationError(f"budget_ms={budget:g}: the network takes more with all layers in int8")
        slow = [number for number in range(1, len(sets) + 1) if too_slow(frozenset().union(*sets[:number]))][:1]
        return without(network, everything, frozenset().union(*sets[: slow[0] - 1 if slow else len(sets)]))

    def agrees(layers: frozenset[int]) -> bool:
        return original.f1(original.agreement(network, without(network, everything, layers))) >= settings.keep_agreement

    if not network.heads:
        return everything
    allowed = allowed_prefix(network, sets, everything.weights, settings.max_float_share)
    return without(network, everything, shortest_prefix(sets, agrees, allowed))


def _result(
    network: Network,
    index: int,
    moments: Moments,
    everything: Quantization,
    chosen: Quantization,
    errors: Sequence[TensorError],
) -> QuantizedLayer:
    source = sources(network, index)[0]
    input_error = next(e.error for e in errors if source in e.tensors)
    in_int8 = index in chosen.weights
    weight_error = relative_error(network, index, moments, everything.weights[index]) if in_int8 else 0.0
    return QuantizedLayer(index, chosen.precision(index), network.layers[index].multiply_adds(), weight_error, input_error)


def _provenance(images: int, settings: QuantizeSettings, equalized: bool, agreement: tuple[float, float] | None) -> dict[str, str]:
    texts = {
        "made_by": f"yolodsc {yolodsc.__version__}",
        "images": str(images),
        "seed": str(settings.seed),
        "equalized": str(int(equalized)),
    }
    if settings.budget_ms is not None:
        texts["budget_ms"] = f"{settings.budget_ms:g}"
    else:
        texts["keep_agreement"] = f"{settings.keep_agreement:g}"
    if agreement is not None:
        texts["agreement"] = f"{agreement[0]:.4f}"
        texts["agreement_held_back"] = f"{agreement[1]:.4f}"
    return texts


def _spread(count: int, chosen: int) -> list[int]:
    """Numbers of ``chosen`` images, evenly spread over ``count``, or of all if there are fewer."""
    return np.unique(np.linspace(0, count - 1, min(chosen, count)).astype(np.int64)).tolist()
