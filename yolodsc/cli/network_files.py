"""From options to files of a network, and to a detector."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from yolodsc.cli.options import ClassOptions, DetectionOptions, LoadingOptions, NetworkOptions, RunningOptions, cores
from yolodsc.cli.progress import Compiling
from yolodsc.darknet import profile_named, read_names
from yolodsc.detection import DEFAULT_MODEL, ModelFiles, names_beside, quantization_of, read_network, resolve_model
from yolodsc.errors import OptionError
from yolodsc.files import exists, is_file, is_folder

if TYPE_CHECKING:
    from yolodsc.detection import Detector
    from yolodsc.network import Network


def model_files(network: NetworkOptions, classes: ClassOptions | None = None) -> ModelFiles:
    """Files of the network that the options name, by default those of the default network.

    Raises
    ------
    OptionError
        The options name two networks, two lists of classes, or one file of a pair whose other file is not beside it.
    """
    names, data = (classes.names, classes.data) if classes else (None, None)
    if names is not None and data is not None:
        raise OptionError("--names and --data name two lists of classes; expected one")
    if network.cfg is None and network.weights is None:
        files = resolve_model(network.model or DEFAULT_MODEL)
        return ModelFiles(files.cfg, files.weights, names or (None if data else files.names))
    if network.model is not None:
        raise OptionError("--model and --cfg/--weights name two networks; expected one")
    return ModelFiles(*_pair(network.cfg, network.weights), names)


def _pair(cfg: Path | None, weights: Path | None) -> tuple[Path, Path]:
    """Both files of a network; one that is not named has the stem of the other."""
    if cfg is not None and weights is not None:
        return cfg, weights
    given, named = cast(Path, cfg or weights), "--cfg" if weights is None else "--weights"
    if is_folder(given):
        raise OptionError(f"{named} {given}: is a directory; expected a file, or --model {given}")
    other = given.with_suffix(".weights" if weights is None else ".cfg")
    if exists(given) and not is_file(other):
        missing = "--weights" if weights is None else "--cfg"
        raise OptionError(f"{missing} is missing; expected {missing} F, or {other} beside {given}")
    return (given, other) if weights is None else (other, given)


def load_network(files: ModelFiles, loading: LoadingOptions) -> "Network":
    """The network of a pair of files or an archive."""
    return read_network(
        files,
        profile=profile_named(loading.profile),
        partial=loading.partial,
        allow_nonfinite=loading.allow_nonfinite,
        size=loading.size,
    )


def open_detector(
    files: ModelFiles,
    *,
    data: Path | None,
    thresh: float | None,
    loading: LoadingOptions,
    detection: DetectionOptions,
    running: RunningOptions,
    quiet: bool,
    network: "Network | None" = None,
    one_image: bool = False,
) -> "Detector":
    """The detector that the options of `detect` and `evaluate` describe; logs progress if its kernels take long to compile.

    Parameters
    ----------
    network
        The network of the files, if it is loaded already.
    one_image
        Whether all cores work on one image, unless the options say otherwise.
    """
    from yolodsc.detection import Detector

    alone = one_image and running.threads is None and running.streams is None
    threads, streams = cores(running.threads, 1 if alone else running.streams, quiet=quiet)
    network = network or load_network(files, loading)
    return Detector(
        network,
        names_of(files, network, data=data),
        thresh=thresh,
        nms_thresh=detection.nms,
        geometry=detection.geometry,
        exif=detection.exif,
        decoder=detection.decoder,
        tiles=detection.tiles,
        tile_overlap=detection.tile_overlap,
        threads=threads,
        streams=streams,
        isa=running.isa,
        precision=running.precision,
        quantization=quantization_of(files, network, running.precision),
        progress=None if quiet else Compiling(),
    )


def names_of(files: ModelFiles, network: "Network", *, data: Path | None) -> tuple[str, ...]:
    """Class names from the list or ``.data`` file of the options, or from the list beside the network; empty without any."""
    from yolodsc.detection import listed_names

    beside = None if data else names_beside(files.cfg, files.weights)
    return listed_names(network, files.names or beside, data=data)


def class_list(names: Path | None, network: "Network") -> tuple[str, ...]:
    """Class names of a network, checked before any work begins; empty if there is no list of them."""
    from yolodsc.detection import class_names

    return () if names is None else class_names(network, read_names(names), source=str(names))
