"""Tables of ``yolodsc bench``."""

from collections.abc import Sequence

from yolodsc.bench import Ablation, AblationRow, Machine, Memory, Result, StartTime, Subject, Throughput
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import styled


def heading(machine: Machine) -> str:
    """The machine, in one line."""
    peaks = [f"{peak:.0f} GFLOP/s on {_threads(count)}" for count, peak in machine.peak_gflops.items() if peak is not None]
    return "; ".join([f"{machine.cpu}, {machine.cores} cores, {machine.isa}", *peaks, f"load {machine.load:.1f}"])


def comparison(subject: Subject, results: Sequence[Result]) -> list[str]:
    """One network with one number of threads."""
    channels, height, width = subject.network.input_shape
    work = f"{width}x{height}x{channels}, {subject.multiply_adds / 1e6:.0f} MMAC"
    title = f"{subject.name}, {work}, {_threads(results[0].threads)}"
    cells = [
        (
            result.engine,
            result.precision,
            f"{result.median_ms:.2f}",
            f"{result.min_ms:.2f}",
            f"{result.ratio:.2f}",
            "" if result.fraction_of_peak is None else f"{100 * result.fraction_of_peak:.0f} %",
            f"{result.max_relative_difference:.0e}",
            "" if result.agreement is None else f"{result.agreement:.3f}",
        )
        for result in results
    ]
    return [
        styled(title, "bold"),
        *aligned([("", "precision", "median ms", "min ms", "ratio", "of peak", "difference", "F1"), *cells], left=2, bold=(2, 4)),
    ]


def ablation(result: Ablation) -> list[str]:
    """Separable layers and totals; times that cover several layers name them."""
    heads = ("layer", "", "output", "MMAC", "DSC ms", "FastDSC ms", "fused ms", "fused layers")
    total = ("all", "", "", "", f"{result.dsc_ms:.3f}", f"{result.fastdsc_ms:.3f}", f"{result.fused_ms:.3f}", "")
    ratios = f"FastDSC {result.dsc_ms / result.fastdsc_ms:.2f} times as fast as DSC, fused {result.dsc_ms / result.fused_ms:.2f}"
    return [f"{result.model}, 1 thread", *aligned([heads, *map(_cells, result.rows), total], left=2), ratios]


def _cells(row: AblationRow) -> tuple[str, ...]:
    channels, height, width = row.shape
    fused = "" if row.fused_ms is None else f"{row.fused_ms:.3f}"
    return (
        str(row.layer),
        row.kind,
        f"{width}x{height}x{channels}",
        f"{row.multiply_adds / 1e6:.2f}",
        f"{row.dsc_ms:.3f}",
        f"{row.fastdsc_ms:.3f}",
        fused,
        " ".join(map(str, row.fused_layers)) if len(row.fused_layers) > 1 else "",
    )


def throughput(rates: Sequence[Throughput]) -> list[str]:
    """Throughput; the ratio is ours divided by theirs, so that values above 1 mean that ours is faster, as in `comparison`."""
    cells = [(rate.engine, rate.precision, f"{rate.images_per_second:.1f}", f"{rate.ratio:.2f}") for rate in rates]
    return [
        f"{rates[0].model}, {rates[0].streams} streams",
        *aligned([("", "precision", "images/s", "ratio"), *cells], left=2, bold=(2,)),
    ]


def start_times(times: StartTime, peaks: Sequence[Memory]) -> list[str]:
    """Start-up times and memory."""
    cells = [
        ("import yolodsc", f"{times.import_s:.2f} s"),
        ("first detect, caches empty", f"{times.cold_s:.2f} s"),
        ("later detect, whole process", f"{times.warm_s:.2f} s"),
        *((f"memory, {peak.engine}", f"{peak.peak_rss_mb:.0f} MiB") for peak in peaks),
    ]
    return [times.model, *aligned(cells, left=1, heading=False, bold=(1,))]


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
