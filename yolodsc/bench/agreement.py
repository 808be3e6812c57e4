"""F1 of the detections of each engine against those of ours, on images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.process import Worker
from yolodsc.bench.subject import Subject
from yolodsc.decompose import agreed_detections, f1_of
from yolodsc.network import Candidates


def agreements(subject: Subject, workers: Mapping[str, Worker], reference: str, images: Array) -> dict[str, float]:
    """F1 of every engine at score .25 and IoU .5 against the engine ``reference``, on images (N, C, H, W)."""
    path = Path(subject.job.image).with_name("images.npy")
    np.save(path, images)
    found = {name: _detections(subject, worker.outputs_on(path)) for name, worker in workers.items()}
    return {name: f1_of(found[reference], detections) for name, detections in found.items()}


def _detections(subject: Subject, outputs: Sequence[Array]) -> list[Candidates]:
    """Detections of all images from the inputs of the heads, (N, …) each."""
    network, by_index = subject.network, dict(zip(subject.job.outputs, outputs, strict=True))
    decoded = []
    for n in range(len(outputs[0])):
        heads = {}
        for head in network.heads:
            source = head.sources[0]
            x = by_index[source][n].reshape(head.inputs[0])
            heads[head.index] = head.forward([x], network.weights[head.index])
        decoded.append(agreed_detections(network, heads))
    return decoded
