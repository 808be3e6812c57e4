"""`quantize`: from a network and unlabelled images to a quantized network."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

import yolodsc
from yolodsc.arrays import Array
from yolodsc.decompose import ProgressCallback, held_back_count
from yolodsc.errors import QuantizationError
from yolodsc.network import Network
from yolodsc.precision import (
    Quantization,
    TensorScale,
    byte_tensors,
    check_quantization,
    int8_candidates,
    sources,
)
from yolodsc.quantize.agreement import Original
from yolodsc.quantize.calibration import PatchMoments, TensorSample, patch_moments, sample_tensors
from yolodsc.quantize.channel_classes import channel_classes
from yolodsc.quantize.equalization import equalizing_factors, scaled
from yolodsc.quantize.layers import relative_error, rounded_weights
from yolodsc.quantize.scales import tensor_scales
from yolodsc.quantize.selection import TensorError, mixed_precision, tensor_errors
from yolodsc.quantize.settings import QuantizedLayer, QuantizedNetwork, QuantizeSettings

SAMPLE_IMAGES = 64
"""Images on which ranges are searched."""

SENSITIVITY_IMAGES = 8
"""Images on which the error of every tensor is measured."""

COMPARED_IMAGES = 32
"""Images on which weights that compensate the rounding of tensors are compared with weights that do not."""

WORTHWHILE = 0.97
"""Equalization and compensation are kept if they lower the error to this share."""


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
    (result,) = quantize_each(network, images, [settings], progress=progress)
    return result


def quantize_each(
    network: Network, images: Array, settings: Sequence[QuantizeSettings], *, progress: ProgressCallback | None = None
) -> list[QuantizedNetwork]:
    """Quantize a network several times on the same statistics: the settings may differ in which layers run in bf16.

    Parameters and errors are those of `quantize`.
    """
    begin, report, first = time.perf_counter(), progress or (lambda what, share: None), settings[0]
    int8 = _candidates(network, images)
    held = held_back_count(len(images), first.held_back)
    with threadpool_limits(1, user_api="blas"):
        report("running the original network", 0.0)
        original = Original(network, images, threads=first.threads)
        chosen = _quantized(network, int8, images[: len(images) - held], original, settings, report)
        results = [_measured(result, original, network, images, held, begin) for result in chosen]
    report("done", 1.0)
    return results


def _measured(
    result: QuantizedNetwork, original: Original, network: Network, images: Array, held: int, begin: float
) -> QuantizedNetwork:
    """The result with its errors and agreement."""
    found = original.agreement(result.network, result.quantization)
    last = slice(len(images) - held, None)
    error = original.error(result.network, result.quantization, range(len(images))[last])
    agreement = (original.f1(found), original.f1(found, last)) if network.heads else None
    provenance = _provenance(len(images), result.settings, result.equalized, agreement)
    return replace(
        result,
        quantization=replace(result.quantization, provenance=provenance),
        output_error=error,
        agreement=agreement,
        detections=original.detections,
        seconds=time.perf_counter() - begin,
    )


def calibrated(network: Network, images: Array, *, threads: int = 1, seed: int = 0) -> Quantization:
    """All candidates in int8, with scales and rounding that are fitted to images (N, C, H, W).

    The network is not equalized, and no layer runs in bf16: a start for training in int8.
    """
    int8 = _candidates(network, images)
    with threadpool_limits(1, user_api="blas"):
        scales = tensor_scales(network, int8, _samples(network, int8, images, threads=threads, seed=seed))
        moments = patch_moments(network, images, int8, scales, threads=threads, seed=seed)
        found = rounded_weights(network, moments, scales, threads=threads, compensate=False)
    check_quantization(network, found)
    return found


def _candidates(network: Network, images: Array) -> list[int]:
    """Layers that can run in int8; a `QuantizationError` without any, or with fewer than 2 images."""
    int8 = int8_candidates(network)
    if not int8:
        raise QuantizationError(f"{network.cfg.file}: nothing to quantize: no convolution with a sum over channels")
    if len(images) < 2:
        raise QuantizationError(f"{len(images)} images; expected at least 2, better 300")
    return int8


def _samples(network: Network, int8: Sequence[int], images: Array, *, threads: int, seed: int) -> dict[int, TensorSample]:
    """Samples of all tensors that int8 layers read in bytes, on a part of the images."""
    tensors = sorted({index for group in byte_tensors(network, int8) for index in group})
    part = images[_evenly(len(images), SAMPLE_IMAGES)]
    return sample_tensors(network, part, tensors, threads=threads, seed=seed)


def _quantized(
    network: Network,
    int8: Sequence[int],
    images: Array,
    original: Original,
    settings: Sequence[QuantizeSettings],
    report: ProgressCallback,
) -> list[QuantizedNetwork]:
    """The quantized networks; errors and agreement are still to be measured."""
    first = settings[0]
    equalized, scales = _scales(network, int8, images, original, first, report)
    report("rounding weights", 0.3)
    moments = patch_moments(equalized, images, int8, scales, threads=first.threads, seed=first.seed)
    everything, compensate = _better_rounded(equalized, moments, scales, images, original, first.threads)
    chosen_images = _evenly(len(images), SENSITIVITY_IMAGES)
    errors = tensor_errors(equalized, everything, original, chosen_images, lambda s: report("errors of tensors", 0.5 + 0.3 * s))
    report("choosing precisions", 0.8)
    found = []
    for each in settings:
        chosen = mixed_precision(equalized, everything, errors, original, each)
        check_quantization(equalized, chosen)
        layers = tuple(_result(equalized, i, moments[i], everything, chosen, errors, compensate=compensate) for i in int8)
        found.append(QuantizedNetwork(equalized, chosen, layers, 0.0, None, equalized is not network, each, 0.0))
    return found


def _scales(
    network: Network, int8: Sequence[int], images: Array, original: Original, settings: QuantizeSettings, report: ProgressCallback
) -> tuple[Network, dict[int, TensorScale]]:
    """The network, equalized if that lowers the error of its tensors, and their scales."""
    report("sampling tensors", 0.1)
    samples = _samples(network, int8, images, threads=settings.threads, seed=settings.seed)
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
    chosen = _evenly(len(images), SENSITIVITY_IMAGES)
    before, after = (
        original.error(candidate, Quantization({}, found, {}), chosen, simulated=True)
        for candidate, found in ((network, scales), (other, other_scales))
    )
    return (other, other_scales) if after < WORTHWHILE * before else (network, scales)


def _better_rounded(
    network: Network,
    moments: Mapping[int, PatchMoments],
    scales: Mapping[int, TensorScale],
    images: Array,
    original: Original,
    threads: int,
) -> tuple[Quantization, bool]:
    """All candidates in 8 bits, and whether their weights compensate the rounding of tensors: only if that lowers the error."""
    compared = _evenly(len(images), COMPARED_IMAGES)
    plain, other = (
        rounded_weights(network, moments, scales, threads=threads, compensate=compensate) for compensate in (False, True)
    )
    before, after = (original.error(network, found, compared) for found in (plain, other))
    return (other, True) if after < WORTHWHILE * before else (plain, False)


def _result(
    network: Network,
    index: int,
    moments: PatchMoments,
    everything: Quantization,
    chosen: Quantization,
    errors: Sequence[TensorError],
    *,
    compensate: bool,
) -> QuantizedLayer:
    source = sources(network, index)[0]
    input_error = next(e.error for e in errors if source in e.tensors)
    in_int8 = index in chosen.weights
    weights = everything.weights[index]
    weight_error = relative_error(network, index, moments, weights, compensate=compensate) if in_int8 else 0.0
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


def _evenly(count: int, chosen: int) -> list[int]:
    """Numbers of ``chosen`` images, evenly distributed over ``count``, or of all if there are fewer."""
    return np.unique(np.linspace(0, count - 1, min(chosen, count)).astype(np.int64)).tolist()
