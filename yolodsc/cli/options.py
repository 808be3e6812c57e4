"""Options that several subcommands share: types of single options, and groups of options that belong together."""

from pathlib import Path
from typing import Annotated, Literal

from yolodsc.cli.declarations import option
from yolodsc.cli.terminal import note
from yolodsc.detection import DEFAULT_MODEL
from yolodsc.values import Value

MAX_THREADS = 1024
"""No machine of today has more processors."""

Model = Annotated[
    str | None,
    option(
        metavar="NETWORK",
        help="Name of a shipped network; a directory of one; or a .cfg, .weights, .npz or .safetensors file.",
        show_default=DEFAULT_MODEL,
    ),
]
CfgFile = Annotated[Path | None, option("--cfg", metavar="F", help="The .cfg file of the network.")]
WeightsFile = Annotated[Path | None, option("--weights", metavar="F", help="The .weights file of the network.")]
NamesFile = Annotated[Path | None, option("--names", metavar="F", help="File of class names, one on each line.")]
DataFile = Annotated[Path | None, option("--data", metavar="F", help="Darknet .data file that names the file of class names.")]
ProfileName = Annotated[str, option("--profile", help="Program to reproduce: alexeyab, pjreddie or opencv.")]
Partial = Annotated[bool, option("--partial", help="Accept weights files that are too short or too long.")]
AllowNonfinite = Annotated[bool, option("--allow-nonfinite", help="Accept weights that are NaN or infinite.")]

Threads = Annotated[int, option("--threads", min=1, max=MAX_THREADS, metavar="N", help="Number of threads for each image.")]
RunThreads = Annotated[
    int | None,
    option(
        "--threads",
        min=1,
        max=MAX_THREADS,
        metavar="N",
        help="Number of threads for each image.",
        show_default="all cores for one image, 1 for many",
    ),
]
WorkThreads = Annotated[
    int | None,
    option("--threads", min=1, max=MAX_THREADS, metavar="N", help="Number of threads.", show_default="all cores"),
]
Streams = Annotated[
    int | None,
    option(
        "--streams",
        min=1,
        max=MAX_THREADS,
        metavar="N",
        help="Number of images that are processed at the same time.",
        show_default="as many as fill the cores",
    ),
]
Isa = Annotated[
    str | None,
    option(
        "--isa",
        metavar="I",
        help="Instruction set: avx512, avx2, sse or neon; none selects FastDSC.",
        show_default="the best that the processor has",
    ),
]
PrecisionName = Annotated[
    str,
    option(
        "--precision",
        metavar="P",
        help="Precision of the network: f32, bf16, int8 (with a quantization, see `yolodsc quantize`) or auto (the fastest).",
    ),
]
NmsThresh = Annotated[
    float | None,
    option("--nms", min=0.0, max=1.0, help="Largest IoU of two boxes of one class that are kept.", show_default="0.45"),
]
Letterbox = Annotated[
    bool | None,
    option(
        "--letterbox/--stretch",
        help="Fit images into the network's input with borders, or by stretching.",
        show_default="as the .cfg file or the profile says",
    ),
]
DecoderName = Annotated[
    str,
    option(
        "--decoder",
        metavar="D",
        help="JPEG decoder: darknet (the pixels of Darknet), fast (libjpeg-turbo) or auto (as profile and precision say).",
    ),
]
Exif = Annotated[
    bool | None,
    option("--exif/--no-exif", help="Rotate images by their EXIF orientation.", show_default="as the profile says"),
]
Size = Annotated[
    str | None,
    option(
        "--size",
        metavar="N|WxH",
        help="Input size of the network, such as 256 or 512x320 (width x height): multiples of its stride.",
        show_default="as in the .cfg file",
    ),
]
Tiles = Annotated[
    str | None,
    option(
        "--tiles",
        metavar="RxC|auto",
        help="Find small objects: run the whole image and tiles of it, such as 2x3 (rows x columns); auto suits the image.",
        show_default="no tiles",
    ),
]
TileOverlap = Annotated[
    float, option("--tile-overlap", min=0.0, max=0.9, metavar="SHARE", help="Share of a tile that neighbours have in common.")
]
Quiet = Annotated[bool, option("--quiet", help="Print errors only.")]


class NetworkOptions(Value, kw_only=True):
    """Options that name a network."""

    model: Model = None
    cfg: CfgFile = None
    weights: WeightsFile = None

    @property
    def given(self) -> bool:
        """Whether any of them is given."""
        return any(given is not None for given in (self.model, self.cfg, self.weights))


class ComparedNetworkOptions(NetworkOptions, kw_only=True):
    """Options that name a network of which there need not be one."""

    model: Annotated[
        str | None,
        option(
            metavar="NETWORK",
            help="Network whose anchors are compared: a shipped name, a directory, or a .cfg, .weights, .npz or .safetensors file.",
            show_default="none",
        ),
    ] = None


class ClassOptions(Value, kw_only=True):
    """Options that name a list of class names."""

    names: NamesFile = None
    data: DataFile = None


class LoadingOptions(Value, kw_only=True):
    """Options that say how a network's files are read."""

    profile: ProfileName = "alexeyab"
    partial: Partial = False
    allow_nonfinite: AllowNonfinite = False
    size: Size = None


class DetectionOptions(Value, kw_only=True):
    """Options of the steps before and after the network; None selects the value of the profile."""

    nms: NmsThresh = None
    letterbox: Letterbox = None
    exif: Exif = None
    decoder: DecoderName = "auto"
    tiles: Tiles = None
    tile_overlap: TileOverlap = 0.2

    @property
    def geometry(self) -> Literal["stretch", "letterbox"] | None:
        """How images are fitted, by the name that the profile uses."""
        return None if self.letterbox is None else "letterbox" if self.letterbox else "stretch"


class RunningOptions(Value, kw_only=True):
    """Options of the engine; None selects what uses all cores."""

    threads: RunThreads = None
    streams: Streams = None
    isa: Isa = None
    precision: PrecisionName = "f32"


def cores(threads: int | None, streams: int | None = 1, *, quiet: bool = False) -> tuple[int, int]:
    """Limit ``--threads`` and ``--streams`` to the cores of this process; log a line for each that is reduced."""
    from yolodsc.engine import default_counts

    chosen = default_counts(threads, streams)
    for name, given, used in zip(("--threads", "--streams"), (threads, streams), chosen, strict=True):
        if given is not None and used < given and not quiet:
            note(f"{name} {given}: {used} used, which fills the cores of this process")
    return chosen
