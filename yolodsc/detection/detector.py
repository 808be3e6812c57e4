"""`Detector`: images in, `Detections` out."""

from collections.abc import Callable, Collection, Generator, Iterable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.darknet import ALEXEYAB, Profile, read_data_names, read_names
from yolodsc.detection.classes import class_names, reported_classes
from yolodsc.detection.detections import Detections
from yolodsc.detection.model_files import DEFAULT_MODEL, names_beside, resolve_model
from yolodsc.detection.network_input import InputReader, chosen_decoder, default_geometry
from yolodsc.detection.pipeline import ImageResult, Pipeline
from yolodsc.detection.postprocess import HeadDecoding, Postprocessor
from yolodsc.errors import OptionError
from yolodsc.images import Geometry, Placement, from_array
from yolodsc.network import InputSize, Network, at_size

if TYPE_CHECKING:
    from yolodsc.detection.tiles import Tiling


class Detector:
    """A network with everything between image files and detections.

    Parameters
    ----------
    network
        Must have a head.
    names
        One for every class; class numbers if omitted.
    thresh, nms_thresh
        Minimum score and maximum overlap, both strict; by default those of the profile.
    geometry
        How images are fitted; by default as profile and cfg say.
    classes
        Report only these class numbers.
    exif
        Turn images as their EXIF orientation says; by default as the profile does.
    decoder
        JPEG decoder: ``darknet`` gives the pixels of stb_image, which Darknet uses, and therefore Darknet's boxes; ``fast`` is
        libjpeg-turbo; ``auto`` is ``darknet`` for the profiles ``alexeyab`` and ``pjreddie``, ``fast`` for ``opencv``. Files that
        the ``darknet`` decoder does not support are read by the other one.
    threads
        Threads for one image; limited to the cores that the process may use. By default all cores for a call, one for `many`; with
        ``streams``, as many as these leave.
    streams
        Images that `many` processes at the same time; limited so that all threads together do not exceed the cores. By default as
        many as fill the cores.
    isa
        As for `engine.compile`.
    progress
        Called with the number of compiled kernels and their total while kernels are compiled: those of the network at once, those
        of the JPEG decoder in a reading thread at the first file that needs them.
    tiles
        Rows and columns of tiles, such as ``2x3``, that the network sees besides the whole image, for small objects in large
        images; ``auto`` takes so many that each is reduced by at most 3.
    tile_overlap
        Share of a tile that neighbours have in common.

    Raises
    ------
    OptionError
        A threshold lies outside 0..1, or the decoder is unknown.
    CfgError
        The network has no head.
    """

    def __init__(
        self,
        network: Network,
        names: tuple[str, ...] = (),
        *,
        thresh: float | None = None,
        nms_thresh: float | None = None,
        geometry: Geometry | None = None,
        classes: Collection[int] | None = None,
        exif: bool | None = None,
        decoder: str = "auto",
        threads: int | None = None,
        streams: int | None = None,
        isa: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        tiles: str | tuple[int, int] | None = None,
        tile_overlap: float = 0.2,
    ) -> None:
        for name, value in (("thresh", thresh), ("nms_thresh", nms_thresh)):
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"{name}={value:g}: expected 0 to 1", parameter=name)
        profile = network.profile
        self.network = network
        self.names = names or tuple(str(number) for number in range(reported_classes(network)))
        self.thresh = profile.thresh if thresh is None else thresh
        self.nms_thresh = profile.nms_thresh if nms_thresh is None else nms_thresh
        self.classes = classes
        self.tiling = _tiling(tiles, tile_overlap)
        self.reader = InputReader(
            network=network,
            geometry=geometry or default_geometry(network),
            exif=profile.exif if exif is None else exif,
            decoder=chosen_decoder(network, decoder),
            progress=progress,
        )
        self.decoding = HeadDecoding(network)
        self._compile = partial(engine.compile, network, outputs=self.decoding.outputs, isa=isa, progress=progress)
        self._lock = Lock()
        alone, (many_threads, self.streams) = engine.one_image_counts(threads, streams), engine.default_counts(threads, streams)
        self.runner = self._compile(threads=alone[0], streams=alone[1])
        self.threads = self.runner.threads
        self._many_runner = self.runner if alone == (many_threads, self.streams) else None

    @classmethod
    def from_files(
        cls,
        cfg: str | Path,
        weights: str | Path,
        names: str | Path | None = None,
        *,
        data: str | Path | None = None,
        profile: Profile = ALEXEYAB,
        partial: bool = False,
        allow_nonfinite: bool = False,
        size: InputSize | None = None,
        **options: Any,
    ) -> Self:
        """Load a detector from files.

        Parameters
        ----------
        names
            File of class names; by default a ``.names`` file beside ``cfg`` or ``weights``.
        data
            A ``.data`` file that points to the names, if ``names`` is omitted.
        profile, partial, allow_nonfinite
            As for `Network.load`.
        size
            Input size to run the network at, a side or (width, height); by default that of the cfg. See `network.at_size`.
        **options
            As for the class.
        """
        network = Network.load(cfg, weights, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite)
        network = at_size(network, size)
        file = names or data or names_beside(Path(cfg), Path(weights))
        listed: tuple[str, ...] = ()
        if names is None and data is not None:
            listed = read_data_names(data)
        elif file:
            listed = read_names(file)
        return cls(network, class_names(network, listed, source=str(file)) if listed else (), **options)

    @property
    def many_runner(self) -> engine.Runner:
        """The runner of many images, compiled at its first use unless it is ``runner``, that of a call."""
        with self._lock:
            if self._many_runner is None:
                self._many_runner = self._compile(threads=1, streams=self.streams)
            return self._many_runner

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline from many files to detections, with the present thresholds and classes."""
        if self.tiling is not None:
            from yolodsc.detection.tiles import TiledPipeline

            return TiledPipeline(self.reader, self.many_runner, self.decoding, self._postprocessor, self.tiling)
        return Pipeline(self.reader, self.many_runner, self.decoding, self._postprocessor)

    @property
    def _call_pipeline(self) -> Pipeline:
        """The pipeline of one image."""
        if self.tiling is not None:
            return self.pipeline
        return Pipeline(self.reader, self.runner, self.decoding, self._postprocessor)

    @property
    def _postprocessor(self) -> Postprocessor:
        return Postprocessor(
            network=self.network, names=self.names, thresh=self.thresh, nms_thresh=self.nms_thresh, classes=self.classes
        )

    def __call__(self, image: str | Path | NDArray[Any]) -> Detections:
        """Detect objects in a file or an array.

        Parameters
        ----------
        image
            A path, or uint8 (H, W, 3) in RGB order; (H, W), (H, W, 1) and (H, W, 4) are converted.

        Raises
        ------
        ImageError
            The file cannot be read, or the array has another type or shape.
        """
        if isinstance(image, str | Path):
            return self._call_pipeline.one(self.reader.read(image), path=str(image))
        pixels = from_array(np.asarray(image), channels=self.network.input_shape.channels)
        return self._call_pipeline.one(self.reader.fit(pixels))

    def many(self, paths: Iterable[str]) -> Generator[ImageResult]:
        """Detect objects in many files, in their order; see `Pipeline.many`."""
        return self.pipeline.many(paths)

    def head_outputs(self, x: Array) -> dict[int, Array]:
        """Return the outputs (C, H, W) of the heads by layer index for an input (C, H, W) of the network."""
        return self.decoding.head_outputs(self.runner, self.runner(x))

    def detections(
        self, outputs: dict[int, Array], placement: Placement, *, width: int, height: int, path: str | None = None
    ) -> Detections:
        """Return the detections that the heads' outputs (C, H, W), by layer index, contain; see `head_outputs`.

        Parameters
        ----------
        placement
            Position of the image in the network's input, from `images.fit`.
        width, height
            Size of the image in pixels.
        """
        post = self._postprocessor
        return post.detections(
            post.candidates(outputs, placement, width=width, height=height), width=width, height=height, path=path
        )

    def close(self) -> None:
        """Release the runner's threads and memory."""
        self.runner.close()
        if self._many_runner is not None:
            self._many_runner.close()


def _tiling(tiles: str | tuple[int, int] | None, overlap: float) -> "Tiling | None":
    """Return the tiling of the options; imported only if there is one."""
    if tiles is None:
        return None
    from yolodsc.detection.tiles import Tiling

    return Tiling.of(tiles, overlap)


def load(model: str | Path = DEFAULT_MODEL, *, profile: Profile = ALEXEYAB, **options: Any) -> Detector:
    """Load a detector by the name of a shipped network, or from a directory with one ``.cfg``, ``.weights`` and ``.names``.

    ``options`` are those of `Detector`, such as ``thresh``, ``threads`` or ``decoder``.
    """
    files = resolve_model(str(model))
    return Detector.from_files(files.cfg, files.weights, files.names, profile=profile, **options)
