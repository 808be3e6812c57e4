"""``yolodsc warmup``."""

from time import perf_counter
from typing import Annotated

import numpy as np
import typer

from yolodsc import engine
from yolodsc.cli import options
from yolodsc.cli.network_files import load_network, model_files
from yolodsc.cli.progress import Compiling
from yolodsc.cli.terminal import say
from yolodsc.detection import DECODING_KERNELS, ModelFiles, bundled_models, resolve_model
from yolodsc.engine import select_backend
from yolodsc.images import READING_KERNELS
from yolodsc.jit import cache_directory, compiler_for, distrust_reason
from yolodsc.precision import quantization_for


def warmup(
    *,
    network: options.NetworkOptions,
    loading: options.LoadingOptions,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=options.MAX_THREADS, metavar="N", help="Compile for N threads.", show_default="1 and the number of cores"
        ),
    ] = None,
    isa: options.Isa = None,
    precision: options.PrecisionName = "f32",
    quiet: options.Quiet = False,
) -> int:
    """Compile the kernels of first runs: of reading images, decoding boxes, and a network (all shipped ones if none is named)."""
    counts = [threads] if threads else sorted({1, engine.available_cores()})
    for files in _files(network):
        loaded = load_network(files, loading)
        quantization = quantization_for(precision, loaded, files.weights, files.cfg)
        start, before = perf_counter(), _compiled(isa)
        for count in counts:
            progress = None if quiet else Compiling()
            runner = engine.compile(
                loaded, threads=count, isa=isa, progress=progress, precision=precision, quantization=quantization
            )
            with runner:
                runner(np.zeros(loaded.input_shape, np.float32))
        if not quiet:
            kernels = _compiled(isa) - before
            kept = f"not kept: {reason}" if (reason := distrust_reason()) else f"kept in {cache_directory()}"
            say(f"{files.cfg}: {kernels} kernels compiled in {perf_counter() - start:.1f} s, {kept}")
    start = perf_counter()
    for kernel in (*READING_KERNELS, *DECODING_KERNELS):
        kernel.load()
    if not quiet:
        say(f"reading of images and decoding of boxes: ready after {perf_counter() - start:.1f} s")
    return 0


def _files(network: options.NetworkOptions) -> list[ModelFiles]:
    """The network that the options name, or all shipped networks."""
    if not network.given:
        return [resolve_model(name) for name in bundled_models()]
    return [model_files(network)]


def _compiled(isa: str | None) -> int:
    """Number of kernels that this process has compiled."""
    chosen = select_backend(isa).isa
    return compiler_for(chosen).compiled if chosen else 0
