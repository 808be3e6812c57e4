"""A digest of everything that determines the result of a training, by which a checkpoint is recognized."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.images import Geometry
from yolodsc.network import Network
from yolodsc.precision import Quantization
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.optimization.checkpoint import digest_of


def training_digest(
    settings: FinetuneSettings,
    networks: tuple[Network, ...],
    paths: Sequence[str],
    labels: Sequence[Array],
    geometry: Geometry,
    quantization: Quantization | None,
) -> str:
    """Return the digest of everything that determines the result of a training."""
    options = _chosen(settings) | {
        "labels": [objects.tolist() for objects in labels],
        "geometry": geometry,
        "profile": networks[0].profile.name,
    }
    if quantization is None:
        del options["precision"]  # trainings in float32 keep their digest of before there was a choice
    else:
        options["quantization"] = _described(quantization)
    return digest_of(options, networks, list(paths))


def _chosen(settings: FinetuneSettings) -> dict[str, Any]:
    """Return the settings without newer ones at their defaults, so that checkpoints from before they existed keep their digest."""
    options = asdict(settings)
    for group, name in ((options, "multiscale"), (options["augmentation"], "mosaic")):
        if not group[name]:
            del group[name]
    return options


def _described(quantization: Quantization) -> str:
    """SHA-256 of layers, scales and integers."""
    scales = {index: (scale.scale, scale.zero_point) for index, scale in sorted(quantization.scales.items())}
    found = hashlib.sha256(repr((sorted(quantization.layers.items()), scales)).encode())
    for index in sorted(quantization.weights):
        weights = quantization.weights[index]
        for array in (weights.weights, weights.scale, weights.bias):
            found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
