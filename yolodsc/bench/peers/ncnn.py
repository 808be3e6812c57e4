"""ncnn in float32 or with bf16 storage, on a network that `ncnn_model` writes for it."""

from importlib import import_module
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.bench.peers.ncnn_model import INPUT, output, write
from yolodsc.network import Network


class Ncnn(Engine):
    """One net; an extractor an image, as its examples do."""

    distribution = "ncnn"
    bf16 = False

    def __init__(self, job: Job) -> None:
        self.library: Any = import_module("ncnn")
        param, binary = job.beside(".param"), job.beside(".bin")
        write(Network.load(job.cfg, job.weights, allow_nonfinite=True), job.outputs, param=param, binary=binary)
        self.net = self.library.Net()
        options = self.net.opt
        options.num_threads = job.threads
        for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_bf16_packed"):
            if hasattr(options, half):
                setattr(options, half, self.bf16 and "bf16" in half)
        if self.net.load_param(str(param)) or self.net.load_model(str(binary)):
            raise ValueError("ncnn cannot load the network")
        self.names = [output(index) for index in job.outputs]

    def __call__(self, image: Array) -> list[Array]:
        """Run."""
        extractor = self.net.create_extractor()
        extractor.input(INPUT, self.library.Mat(image))
        return [np.array(extractor.extract(name)[1]) for name in self.names]


class NcnnBf16(Ncnn):
    """One net whose weights and feature maps are stored as bf16."""

    precision = "bf16"
    bf16 = True
