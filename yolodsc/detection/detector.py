"""`Detector`: images in, `Detections` out."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, Unpack

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.darknet import ALEXEYAB, Profile
from yolodsc.detection.calls.image_input import ImageInput, ImageInputReader, in_memory, named_entries, shown_path
from yolodsc.detection.calls.results import with_images
from yolodsc.detection.calls.selection import CallOptions, SelectivePostprocessor, checked_thresholds
from yolodsc.detection.classes import ClassSelection, class_numbers, listed_names, reported_classes
from yolodsc.detection.detections import Detections
from yolodsc.detection.model_files import ModelFiles, names_beside, quantization_of, read_network
from yolodsc.detection.network_input import chosen_decoder, default_geometry
from yolodsc.detection.pipeline import ImageResult, Pipeline
from yolodsc.detection.postprocess import HeadDecoding
from yolodsc.errors import OptionError
from yolodsc.images import Geometry, ImageArray, Placement
from yolodsc.network import InputSize, Network

if TYPE_CHECKING:
    from yolodsc.detection.tiles import Tiling
    from yolodsc.detection.video.stream import Source
    from yolodsc.precision import Quantization


class Detector:
    """A network with everything between images and detections.

    Parameters
    ----------
    network
        Must have a head; `Classifier` runs classifiers.
    names
        One for every class; class numbers if omitted.
    thresh, nms_thresh
        Minimum score and maximum overlap, both strict; by default those of the profile.
    geometry
        How images are fitted; by default as profile and cfg say.
    classes
        Report only these classes, given by name or number.
    bgr
        Arrays are in BGR order, as ``cv2.imread`` returns them.
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
    isa, precision, quantization
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
        A threshold lies outside 0..1, a class is unknown, or the decoder is unknown.
    CfgError
        The network has no head.
    """

    def __init__(
        self,
        network: Network,
        names: Sequence[str] = (),
        *,
        thresh: float | None = None,
        nms_thresh: float | None = None,
        geometry: Geometry | None = None,
        classes: ClassSelection | None = None,
        bgr: bool = False,
        exif: bool | None = None,
        decoder: str = "auto",
        threads: int | None = None,
        streams: int | None = None,
        isa: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        tiles: str | tuple[int, int] | None = None,
        tile_overlap: float = 0.2,
        precision: str = "f32",
        quantization: "Quantization | None" = None,
    ) -> None:
        checked_thresholds(thresh=thresh, nms=nms_thresh, nms_name="nms_thresh")
        profile, count = network.profile, reported_classes(network)
        self.network = network
        self.names = tuple(names) or tuple(str(number) for number in range(count))
        self.thresh = profile.thresh if thresh is None else thresh
        self.nms_thresh = profile.nms_thresh if nms_thresh is None else nms_thresh
        self.classes = None if classes is None else class_numbers(self.names, classes)
        self.bgr = bgr
        self.tiling = _tiling(tiles, tile_overlap)
        self.reader = ImageInputReader(
            network=network,
            geometry=geometry or default_geometry(network),
            exif=profile.exif if exif is None else exif,
            decoder=chosen_decoder(network, decoder),
            progress=progress,
        )
        self.decoding = HeadDecoding(network)
        self._compile = partial(
            engine.compile,
            network,
            outputs=self.decoding.outputs,
            isa=isa,
            progress=progress,
            precision=precision,
            quantization=quantization,
        )
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
        names: str | PathLike[str] | Sequence[str] | None = None,
        *,
        data: str | Path | None = None,
        profile: str | Profile = ALEXEYAB,
        partial: bool = False,
        allow_nonfinite: bool = False,
        size: InputSize | None = None,
        precision: str = "f32",
        **options: Any,
    ) -> Self:
        """Load a detector from files.

        Parameters
        ----------
        cfg, weights
            A pair of files, or the same ``.npz`` or ``.safetensors`` file twice.
        names
            File of class names, or the names; by default a ``.names`` file beside ``cfg`` or ``weights``.
        data
            A ``.data`` file that points to the names, if ``names`` is omitted.
        profile, partial, allow_nonfinite
            As for `Network.load`.
        size
            Input size to run the network at, a side or (width, height); by default that of the cfg. See `network.at_size`.
        precision
            As for the class; ``int8`` and ``auto`` use the quantization beside the files, ``NAME.quant.npz``.
        **options
            As for the class.
        """
        files = ModelFiles(Path(cfg), Path(weights), None)
        network = read_network(files, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite, size=size)
        if options.get("quantization") is None:
            options["quantization"] = quantization_of(files, network, precision)
        beside = None if data else names_beside(files.cfg, files.weights)
        return cls(network, listed_names(network, names or beside, data=data), precision=precision, **options)

    def __repr__(self) -> str:
        name = Path(self.network.cfg.file).name
        return f"Detector({name}: {len(self.names)} classes, input {self.network.input_shape}, profile {self.network.profile.name})"

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
        return self._pipeline(self._postprocessor(), self.many_runner)

    def _pipeline(self, post: SelectivePostprocessor, runner: engine.Runner) -> Pipeline:
        if self.tiling is not None:
            from yolodsc.detection.tiles import TiledPipeline

            return TiledPipeline(self.reader, self.many_runner, self.decoding, post, self.tiling)
        return Pipeline(self.reader, runner, self.decoding, post)

    def __call__(self, image: ImageInput, *, bgr: bool | None = None, **options: Unpack[CallOptions]) -> Detections:
        """Detect objects in one image.

        Parameters
        ----------
        image
            A path; an ``http://`` or ``https://`` address; the bytes of a file, or a file that is open for reading bytes; an image
            of Pillow; an array of uint8 (H, W, 3) in **RGB** order, where (H, W), (H, W, 1) and (H, W, 4) are converted; or a
            tensor of PyTorch (C, H, W), of uint8 or of real numbers from 0 to 1. Arrays of ``cv2.imread`` and
            ``cv2.VideoCapture`` are in BGR order: pass ``bgr=True``, otherwise red and blue are exchanged and objects are missed.
        bgr
            The array or tensor is in BGR order; by default as for the detector.
        thresh, nms : float
            Minimum score and maximum overlap, both strict; by default those of the detector.
        classes
            Report only these classes, given by name or number: ``"dog"``, ``["dog", 3]``; by default those of the detector.
        max_detections : int
            Maximum number of detections, the best first.
        agnostic : bool
            Suppress boxes that overlap a better box of any class, not only of the same class. Each box has its best class only.

        Raises
        ------
        ImageError
            The image cannot be read, or the array has another type or shape.
        OptionError
            A threshold or class is invalid.
        """
        post = self._postprocessor(**options)
        entry = in_memory(image, bgr=self.bgr if bgr is None else bgr)
        given = self.reader.read(entry)
        return replace(self._pipeline(post, self.runner).one(given, path=shown_path(entry)), image=given.image)

    def many(
        self, images: Iterable[ImageInput], *, bgr: bool | None = None, **options: Unpack[CallOptions]
    ) -> Generator[ImageResult]:
        """Detect objects in many images, in their order; see `Pipeline.many`.

        Reading, running the network and suppression overlap. An image that cannot be read gives a result with an ``error`` instead
        of detections. Images may come from an endless iterator. Each result and its detections keep their image: to keep the
        detections of many images, keep ``result.detections.without_image()``.

        Parameters
        ----------
        images
            Images as for a call; arrays and tensors of four axes are batches, (N, H, W, C) and (N, C, H, W).
        bgr, **options
            As for a call.
        """
        post = self._postprocessor(**options)
        entries = named_entries(images, bgr=self.bgr if bgr is None else bgr)
        return with_images(self._pipeline(post, self.many_runner).many(entries))

    def head_outputs(self, x: Array) -> dict[int, Array]:
        """Return the outputs (C, H, W) of the heads by layer index for an input (C, H, W) of the network."""
        return self.decoding.head_outputs(self.runner, self.runner(x))

    def stream(self, source: "Source", **options: Any) -> Generator[tuple[ImageArray, Detections]]:
        """Yield the frames of a video, a camera or a stream, in RGB, and their detections; see `video.stream.stream`.

        ``options`` are ``vid_stride``, ``max_frames``, ``track``, ``reconnects`` and ``report``.
        """
        from yolodsc.detection.video.stream import stream

        return stream(self.pipeline, source, **options)

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
        post = self._postprocessor()
        return post.detections(
            post.candidates(outputs, placement, width=width, height=height), width=width, height=height, path=path
        )

    def close(self) -> None:
        """Release the runner's threads and memory; leaving a ``with`` block does so too."""
        self.runner.close()
        if self._many_runner is not None:
            self._many_runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _postprocessor(
        self,
        *,
        thresh: float | None = None,
        nms: float | None = None,
        classes: ClassSelection | None = None,
        max_detections: int | None = None,
        agnostic: bool = False,
    ) -> SelectivePostprocessor:
        """The postprocessor of one call."""
        checked_thresholds(thresh=thresh, nms=nms)
        if max_detections is not None and max_detections < 0:
            raise OptionError(f"max_detections={max_detections}: expected 0 or more", parameter="max_detections")
        return SelectivePostprocessor(
            network=self.network,
            names=self.names,
            thresh=self.thresh if thresh is None else thresh,
            nms_thresh=self.nms_thresh if nms is None else nms,
            classes=self.classes if classes is None else class_numbers(self.names, classes),
            max_detections=max_detections,
            agnostic=agnostic,
        )


def _tiling(tiles: str | tuple[int, int] | None, overlap: float) -> "Tiling | None":
    """Return the tiling of the options; imported only if there is one."""
    if tiles is None:
        return None
    from yolodsc.detection.tiles import Tiling

    return Tiling.of(tiles, overlap)
