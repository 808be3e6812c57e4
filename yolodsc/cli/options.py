"""Options that several subcommands share."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yolodsc.cli.progress import Compiling
from yolodsc.cli.terminal import note
from yolodsc.darknet import profile_named, read_names
from yolodsc.detection import DEFAULT_MODEL, ModelFiles, resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import exists, is_file, is_folder, nearest, resolved

if TYPE_CHECKING:
    from yolodsc.detection import Detector
    from yolodsc.network import Network

MOST_THREADS = 1024
"""More than that no machine of today has processors for."""

Model = Annotated[
    str | None, typer.Option(metavar="NAME|DIR", help="A shipped network, or a folder with one network; dsc-nano-voc.")
]
CfgFile = Annotated[Path | None, typer.Option("--cfg", metavar="F", help="The network's .cfg file.")]
WeightsFile = Annotated[Path | None, typer.Option("--weights", metavar="F", help="The network's .weights file.")]
NamesFile = Annotated[Path | None, typer.Option("--names", metavar="F", help="Class names, one a line.")]
DataFile = Annotated[Path | None, typer.Option("--data", metavar="F", help="A .data file that points to the names.")]
ProfileName = Annotated[str, typer.Option("--profile", help="Whose numbers: alexeyab, pjreddie or opencv.")]
Partial = Annotated[bool, typer.Option("--partial", help="Accept weights files that are too short or too long.")]
AllowNonfinite = Annotated[bool, typer.Option("--allow-nonfinite", help="Accept weights that are NaN or infinite.")]

Threads = Annotated[int, typer.Option("--threads", min=1, max=MOST_THREADS, metavar="N", help="Threads for one image.")]
Streams = Annotated[int, typer.Option("--streams", min=1, max=MOST_THREADS, metavar="N", help="Images at the same time.")]
Isa = Annotated[str | None, typer.Option("--isa", metavar="I", help="Instruction set: avx512, avx2, sse, neon; none is FastDSC.")]
Thresh = Annotated[float | None, typer.Option("--thresh", min=0.0, max=1.0, help="Least score; .25 unless the profile differs.")]
NmsThresh = Annotated[float | None, typer.Option("--nms", min=0.0, max=1.0, help="Greatest overlap; .45.")]
Letterbox = Annotated[bool | None, typer.Option("--letterbox/--stretch", help="How images are fitted; the cfg says it else.")]
DecoderName = Annotated[str, typer.Option("--decoder", help="JPEG pixels: darknet, fast (libjpeg-turbo) or auto, the profile's.")]
Exif = Annotated[bool | None, typer.Option("--exif/--no-exif", help="Turn images as their EXIF orientation says.")]


def model_files(
    model: str | None, cfg: Path | None, weights: Path | None, names: Path | None, *, data: Path | None = None
) -> ModelFiles:
    """The network that the options name, the default where they name none; an `OptionError` where they name two."""
    if names is not None and data is not None:
        raise OptionError("--names and --data name two lists of classes; wanted one")
    if cfg is None and weights is None:
        files = resolve_model(model or DEFAULT_MODEL)
        return ModelFiles(files.cfg, files.weights, names or (None if data else files.names))
    if model is not None:
        raise OptionError("--model and --cfg/--weights name two networks; wanted one")
    if cfg is None or weights is None:
        missing = "--cfg" if cfg is None else "--weights"
        raise OptionError(f"{missing} is missing; --cfg and --weights go together")
    return ModelFiles(cfg, weights, names)


def detector(
    files: ModelFiles,
    *,
    data: Path | None,
    profile: str,
    partial: bool,
    allow_nonfinite: bool,
    thresh: float | None,
    nms: float | None,
    letterbox: bool | None,
    exif: bool | None,
    decoder: str,
    threads: int,
    streams: int = 1,
    isa: str | None = None,
    quiet: bool = False,
) -> "Detector":
    """The detector that the options of `detect` and `evaluate` describe; says so where its kernels take long to compile."""
    from yolodsc.detection import Detector

    threads, streams = cores(threads, streams, quiet=quiet)
    return Detector.from_files(
        files.cfg,
        files.weights,
        files.names,
        data=data,
        profile=profile_named(profile),
        partial=partial,
        allow_nonfinite=allow_nonfinite,
        thresh=thresh,
        nms_thresh=nms,
        geometry=None if letterbox is None else "letterbox" if letterbox else "stretch",
        exif=exif,
        decoder=decoder,
        threads=threads,
        streams=streams,
        isa=isa,
        progress=None if quiet else Compiling(),
    )


def cores(threads: int, streams: int = 1, *, quiet: bool = False) -> tuple[int, int]:
    """What of ``--threads`` and ``--streams`` there are cores for; a line says where that is less than was asked for."""
    from yolodsc.engine import capped_at_cores

    most = capped_at_cores(threads, streams)
    for option, asked, used in zip(("--threads", "--streams"), (threads, streams), most, strict=True):
        if used < asked and not quiet:
            note(f"{option} {asked}: {used} used, which fills the cores of this process")
    return most


def classes(names: Path | None, network: "Network") -> tuple[str, ...]:
    """The class names of a network, before anything is done with it; none where there is no list of them."""
    from yolodsc.detection import class_names

    return () if names is None else class_names(network, read_names(names), place=str(names))


def apart(outputs: Mapping[str, Path | None], inputs: Iterable[str | Path | None] | Callable[[Path], bool]) -> None:
    """See that files to be written, by option, are neither read in this run nor named twice; an `OptionError` otherwise.

    ``inputs`` are the files that are read, or say whether one is: they are resolved only where there is a file to be overwritten.
    """
    wanted = {option: path for option, path in outputs.items() if path is not None and (is_file(path) or not exists(path))}
    taken: set[Path] = set()
    for option, path in wanted.items():
        place = resolved(path)
        if exists(path) and (inputs(path) if callable(inputs) else place in {resolved(name) for name in inputs if name}):
            raise OptionError(f"{option} {path}: is read in this run; wanted another file")
        if place in taken:
            raise OptionError(f"{option} {path}: is written by another option; wanted another file")
        taken.add(place)


def may_be_folder(path: Path) -> None:
    """See that there is a directory, or room for one; an `OptionError` otherwise."""
    if not is_folder(place := nearest(path)):
        raise OptionError(f"{path}: {place} is a file; wanted a directory")


def free(out: Path, stem: str) -> None:
    """See that a pair and its names can be written without overwriting any; an `OptionError` otherwise."""
    may_be_folder(out)
    for ending in ("cfg", "weights", "names"):
        if exists(out / f"{stem}.{ending}"):
            raise OptionError(f"{out / stem}.{ending} is there already; wanted another --out or --name")


def save(network: "Network", out: Path, stem: str, names: Path | None) -> None:
    """Write what `free` has found room for."""
    network.save(out / f"{stem}.cfg", out / f"{stem}.weights")
    if names is not None:
        shutil.copyfile(names, out / f"{stem}.names")
