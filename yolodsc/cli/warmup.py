"""``yolodsc warmup``."""

import os
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer

from yolodsc import engine
from yolodsc.cli import options
from yolodsc.cli.progress import Compiling
from yolodsc.cli.terminal import say
from yolodsc.darknet import profile_named
from yolodsc.detection import ModelFiles, bundled_models, resolve_model
from yolodsc.engine import select_backend
from yolodsc.images import READING_KERNELS
from yolodsc.jit import cache_directory, compiler_for, distrust_reason
from yolodsc.network import Network


def warmup(
    model: options.Model = None,
    cfg: options.CfgFile = None,
    weights: options.WeightsFile = None,
    profile: options.ProfileName = "alexeyab",
    partial: options.Partial = False,
    allow_nonfinite: options.AllowNonfinite = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=options.MOST_THREADS, metavar="N", help="For runs with N threads; 1 and all cores.")
    ] = None,
    isa: options.Isa = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> int:
    """Compile what first runs would wait for: image reading, and a network's kernels (all shipped networks if none is named)."""
    counts = [threads] if threads else sorted({1, os.cpu_count() or 1})
    for files in _chosen(model, cfg, weights):
        loading: dict[str, bool] = {"partial": partial, "allow_nonfinite": allow_nonfinite}
        network = Network.load(files.cfg, files.weights, profile=profile_named(profile), **loading)
        start, before = perf_counter(), _compiled(isa)
        for count in counts:
            with engine.compile(network, threads=count, isa=isa, progress=None if quiet else Compiling()) as runner:
                runner(np.zeros(network.input_shape, np.float32))
        if not quiet:
            kernels = _compiled(isa) - before
            place = f"not kept: {reason}" if (reason := distrust_reason()) else f"kept in {cache_directory()}"
            say(f"{files.cfg}: {kernels} kernels compiled in {perf_counter() - start:.1f} s, {place}")
    start = perf_counter()
    for kernel in READING_KERNELS:
        kernel.load()
    if not quiet:
        say(f"reading and resizing of images: ready after {perf_counter() - start:.1f} s")
    return 0


def _chosen(model: str | None, cfg: Path | None, weights: Path | None) -> list[ModelFiles]:
    if model is None and cfg is None and weights is None:
        return [resolve_model(name) for name in bundled_models()]
    return [options.model_files(model, cfg, weights, None)]


def _compiled(isa: str | None) -> int:
    """How many kernels this process has compiled."""
    chosen = select_backend(isa).isa
    return compiler_for(chosen).compiled if chosen else 0
