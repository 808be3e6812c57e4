"""``yolodsc summary``."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from yolodsc import engine
from yolodsc.cli import options
from yolodsc.cli.network_files import load_network, model_files
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs, is_standard_output, write_text
from yolodsc.cli.tables.plan import plan_json, plan_lines
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say, styled
from yolodsc.darknet import profile_named, read_cfg
from yolodsc.detection import ModelFiles
from yolodsc.engine import seconds_of, select_backend
from yolodsc.errors import OptionError
from yolodsc.network import Network, Summary, SummaryRow, at_size, summarise
from yolodsc.precision import Quantization, quantization_for
from yolodsc.schemas import dump_json

ROUNDS = 50
"""Number of times that each operation is timed."""


def summary(
    *,
    network: options.NetworkOptions,
    loading: options.LoadingOptions,
    plan: Annotated[bool, typer.Option("--plan", help="List the operations that the engine runs.")] = False,
    time: Annotated[bool, typer.Option("--time", help="Time each operation; implies --plan.")] = False,
    threads: options.Threads = 1,
    isa: options.Isa = None,
    precision: options.PrecisionName = "f32",
    json: Annotated[Path | None, typer.Option(metavar="F|-", help="Write the table as JSON.")] = None,
) -> int:
    """List the layers of a network with their cost and the cost of separable convolutions, or the plan of the engine."""
    if isa is not None and not (plan or time):
        raise OptionError("--isa goes with --plan")
    if precision != "f32" and not (plan or time):
        raise OptionError("--precision goes with --plan")
    alone = network.weights is None and network.model is None
    source = network.cfg if network.cfg is not None and alone else model_files(network)
    ensure_outputs_differ_from_inputs({"--json": json}, (source,) if isinstance(source, Path) else source.paths)
    loaded = _load(source, loading)
    for remark in loaded.notes:
        note(remark)
    if plan or time:
        files = (source,) if isinstance(source, Path) else (source.weights, source.cfg)
        running = options.RunningOptions(threads=threads, isa=isa, precision=precision)
        return _plan(loaded, quantization_for(precision, loaded, *files), running, time=time, json=json)
    table = summarise(loaded)
    if json is not None:
        _write(json, table.to_json())
    if not is_standard_output(json):
        say(*_lines(table))
    return 0


def _plan(
    network: Network, quantization: Quantization | None, running: options.RunningOptions, *, time: bool, json: Path | None
) -> int:
    """Print the operations that the engine runs instead of the layers."""
    threads, backend = running.threads or 1, select_backend(running.isa)
    compiled = engine.compile(network, threads=threads, isa=running.isa, precision=running.precision, quantization=quantization)
    with compiled as runner:
        entries, x = runner.entries(), np.zeros(network.input_shape, np.float32)
        seconds, whole = seconds_of(entries, lambda: runner(x), rounds=ROUNDS) if time else (None, 0.0)
    if json is not None:
        _write(json, {"isa": backend.name, "threads": threads, "plan": plan_json(entries, seconds)})
    if is_standard_output(json):
        return 0
    say(*plan_lines(entries, seconds))
    macs = sum(entry.macs for entry in entries)
    taken = f", {whole * 1000:.2f} ms an image, {2e-9 * macs / whole:.1f} GFLOP/s" if time else ""
    plural = "" if threads == 1 else "s"
    say(f"total {macs / 1e6:.2f} MMAC{taken}; {threads} thread{plural}, {backend.name} ({backend.reason})")
    return 0


def _write(path: Path, table: Any) -> None:
    write_text(path, dump_json(table, file=path, error=OptionError, indent=1) + "\n")


def _load(source: Path | ModelFiles, loading: options.LoadingOptions) -> Network:
    """The network of these files; of a .cfg file alone, without weights."""
    if isinstance(source, Path):
        return at_size(Network.build(read_cfg(source), profile=profile_named(loading.profile)), loading.size)
    return load_network(source, loading)


def _lines(table: Summary) -> list[str]:
    heading = ("", "type", "filters  size/stride", "input", "", "output", "BFLOPs", "parameters", "as separable")
    lines = aligned([heading, *map(_cells, table.rows)], left=4)
    saving = table.bflops / table.separable_bflops if table.separable_bflops else 1.0
    return [
        *lines,
        styled(f"total {table.bflops:.3f} BFLOPs, {table.parameters} parameters ({4 * table.parameters / 1e6:.2f} MB)", "bold"),
        f"with separable convolutions {table.separable_bflops:.3f} BFLOPs ({saving:.2f} times fewer)",
    ]


def _cells(row: SummaryRow) -> tuple[str, ...]:
    layer = row.layer
    separable = ""
    if row.separable_bflops:
        separable = f"{row.separable_bflops:.3f} ({row.bflops / row.separable_bflops:.2f}x)"
    return (
        str(layer.index),
        layer.type,
        row.options(),
        _size(layer.inputs[0]),
        "->",
        _size(layer.shape),
        f"{row.bflops:.3f}" if row.bflops else "",
        str(row.parameters) if row.parameters else "",
        separable,
    )


def _size(shape: tuple[int, int, int]) -> str:
    """Width x height x channels, as Darknet prints it."""
    channels, height, width = shape
    return f"{width}x{height}x{channels}"
