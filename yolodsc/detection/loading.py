"""`load` and `load_classifier`: a detector or classifier from a name, a directory, files or a `Network`."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from yolodsc.darknet import ALEXEYAB, Profile
from yolodsc.detection.classes import ClassSelection, listed_names
from yolodsc.detection.classification.classifier import Classifier, ClassifierGeometry
from yolodsc.detection.detector import Detector
from yolodsc.detection.model_files import DEFAULT_MODEL, quantization_of, read_network, resolve_model
from yolodsc.errors import OptionError
from yolodsc.images import Geometry
from yolodsc.network import InputSize, Network, at_size

if TYPE_CHECKING:
    from yolodsc.precision import Quantization

FileName = str | PathLike[str]


class RunOptions(TypedDict, total=False):
    """Options of `Detector` and `Classifier` that select how images are read and where the network runs."""

    bgr: bool
    exif: bool | None
    decoder: str
    threads: int | None
    isa: str | None
    progress: Callable[[int, int], None] | None


class DetectorOptions(RunOptions, total=False):
    """Options of `Detector`."""

    thresh: float | None
    nms_thresh: float | None
    geometry: Geometry | None
    classes: ClassSelection | None
    streams: int | None
    tiles: str | tuple[int, int] | None
    tile_overlap: float
    precision: str
    quantization: "Quantization | None"


class ClassifierOptions(RunOptions, total=False):
    """Options of `Classifier`."""

    geometry: ClassifierGeometry | None


def load(
    model: FileName | Network = DEFAULT_MODEL,
    weights: FileName | None = None,
    *,
    names: FileName | Sequence[str] | None = None,
    data: FileName | None = None,
    profile: str | Profile = ALEXEYAB,
    partial: bool = False,
    allow_nonfinite: bool = False,
    size: InputSize | None = None,
    **options: Unpack[DetectorOptions],
) -> Detector:
    """Load a detector.

    Parameters
    ----------
    model
        Name of a bundled network, by default ``dsc-xl-voc``; a directory with one network; a ``.cfg`` or ``.weights`` file,
        whose counterpart has the same stem unless ``weights`` is given; a ``.npz`` or ``.safetensors`` file; or a `Network`.
    weights
        The ``.weights`` file of a ``.cfg`` file.
    names, data
        Class names, or their file; or a ``.data`` file that points to it. By default the ``.names`` file beside the network.
    profile
        Program to reproduce: ``alexeyab``, ``pjreddie`` or ``opencv``, or a `Profile`.
    partial, allow_nonfinite, size
        As for `Network.load`; and the input size to run at, a side or (width, height), by default that of the cfg.
    **options
        Options of `Detector`: ``thresh``, ``nms_thresh``, ``classes``, ``geometry``, ``bgr``, ``exif``, ``decoder``, ``tiles``,
        ``tile_overlap``, ``precision``, ``threads``, ``streams``, ``isa``, ``progress``. With ``int8`` or ``auto``, the
        quantization is the file ``NAME.quant.npz`` beside the network, unless ``quantization`` is given.

    Raises
    ------
    YolodscError
        The model names nothing, an option is invalid, a file cannot be used, or the network is a classifier.

    Examples
    --------
    >>> import yolodsc
    >>> yolodsc.load("dsc-fastest-voc", classes=["dog", "cat"], thresh=0.5)
    Detector(dsc-fastest-voc.cfg: 20 classes, input 3x320x320, profile alexeyab)
    """
    network, listed = _network(
        model, weights, names=names, data=data, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite
    )
    network = at_size(network, size)
    if options.get("quantization") is None and not isinstance(model, Network):
        options["quantization"] = quantization_of(resolve_model(model, weights), network, options.get("precision", "f32"))
    return Detector(network, listed, **options)


def load_classifier(
    model: FileName | Network,
    weights: FileName | None = None,
    *,
    names: FileName | Sequence[str] | None = None,
    data: FileName | None = None,
    profile: str | Profile = ALEXEYAB,
    partial: bool = False,
    allow_nonfinite: bool = False,
    **options: Unpack[ClassifierOptions],
) -> Classifier:
    """Load a classifier: a network that ends in class probabilities instead of boxes.

    Parameters and errors are those of `load`; ``**options`` are those of `Classifier`.
    """
    network, listed = _network(
        model, weights, names=names, data=data, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite
    )
    return Classifier(network, listed, **options)


def _network(
    model: FileName | Network,
    weights: FileName | None,
    *,
    names: FileName | Sequence[str] | None,
    data: FileName | None,
    profile: str | Profile,
    partial: bool,
    allow_nonfinite: bool,
) -> tuple[Network, tuple[str, ...]]:
    """The network and its class names, empty without a list of them."""
    data = None if data is None else Path(data)
    if isinstance(model, Network):
        if weights is not None:
            raise OptionError("weights: model is a Network, which has weights; expected none", parameter="weights")
        return model, listed_names(model, names, data=data)
    files = resolve_model(model, weights)
    network = read_network(files, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite)
    return network, listed_names(network, names or (None if data else files.names), data=data)
