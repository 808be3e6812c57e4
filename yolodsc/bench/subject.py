"""Networks to benchmark, as files in a folder that all engines can read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.bench.job import Job
from yolodsc.bench.random_weights import random_weights
from yolodsc.darknet import read_cfg
from yolodsc.errors import YolodscError
from yolodsc.network import Layer, Network, reachable
from yolodsc.precision import Quantization, minmax_quantization, quantization_for, write_quantization

SEED = 2018


@dataclass(frozen=True, slots=True)
class Subject:
    """A network on disk.

    Attributes
    ----------
    job
        Input of every engine; ``engine``, ``threads`` and ``streams`` are replaced for each.
    multiply_adds
        Number for one image up to the outputs, counting direct convolutions.
    onnx_error
        Reason why there is no ONNX file; empty if there is one.
    """

    name: str
    network: Network
    job: Job
    multiply_adds: int
    onnx_error: str


def benchmark_subject(
    name: str,
    network: Network,
    folder: Path,
    *,
    quantization: Quantization | None = None,
    calibration: Array | None = None,
    keep: Path | None = None,
) -> Subject:
    """Write a network and an input image into ``folder``, an existing directory; with a quantization, its files too.

    Parameters
    ----------
    calibration : (N, C, H, W)
        Images for engines that quantize the network themselves; by default the input image.
    keep
        Existing directory of the networks that these engines make, by default ``folder``. Networks in it are used again.
    """
    image = benchmark_image(network.input_shape)
    outputs = head_inputs(network)
    job = Job(
        engine="",
        cfg=str(folder / "network.cfg"),
        weights=str(folder / "network.weights"),
        onnx=str(folder / "network.onnx"),
        quantization=str(folder / "network.quant.npz") if quantization else "",
        onnx_int8=str(folder / "network-int8.onnx") if quantization else "",
        image=str(folder / "image.npy"),
        calibration=str(folder / "calibration.npy"),
        kept=str(keep or folder),
        outputs=outputs,
    )
    network.save(job.cfg, job.weights)
    np.save(job.image, image)
    np.save(job.calibration, image[None] if calibration is None else calibration)
    if quantization:
        write_quantization(job.quantization, network, quantization)
    multiply_adds = sum(layer.multiply_adds() for layer in required_layers(network, outputs))
    return Subject(name, network, job, multiply_adds, _export(network, job, quantization))


def benchmark_quantization(network: Network, *files: Path) -> tuple[Quantization, bool]:
    """The quantization beside the files of a network, and True; without one, that of the extremes on the input, and False.

    The speed of both is the same, as long as no layer is in bf16; the accuracy is not.
    """
    found = quantization_for("auto", network, *files) if files else None
    if found is not None:
        return found, True
    return minmax_quantization(network, [benchmark_image(network.input_shape)]), False


def random_network(cfg: Path, *, seed: int = SEED) -> tuple[str, Network]:
    """Name and network of a .cfg file, with random weights of `random_weights`."""
    network = Network.build(read_cfg(cfg))
    return cfg.stem, random_weights(network, benchmark_image(network.input_shape), seed=seed)


def benchmark_image(shape: Shape, *, seed: int = SEED) -> Array:
    """Blocks of colour with noise, (C, H, W) in 0..1."""
    rng = np.random.default_rng(seed)
    channels, height, width = shape
    coarse = rng.random((channels, -(-height // 8), -(-width // 8)))
    blocks = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    return (0.7 * blocks + 0.3 * rng.random(shape)).astype(np.float32)


def head_inputs(network: Network) -> tuple[int, ...]:
    """Layers whose feature maps heads read, in order; the last layer if there is no head."""
    return tuple(sorted({head.sources[0] for head in network.heads})) or (network.output,)


def required_layers(network: Network, outputs: tuple[int, ...]) -> list[Layer]:
    """The layers that the outputs depend on, in order."""
    return [network.layers[index] for index in reachable(network.layers, outputs)]


def _export(network: Network, job: Job, quantization: Quantization | None) -> str:
    from yolodsc.bench.onnx_file import export

    try:
        export(network, job.onnx, outputs=job.outputs)
        if quantization:
            export(network, job.onnx_int8, outputs=job.outputs, quantization=quantization)
    except YolodscError as error:
        return str(error)
    return ""
