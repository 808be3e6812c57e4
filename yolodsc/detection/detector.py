"""`Detector`: images in, `Detections` out."""

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from msgspec.structs import replace

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.darknet import ALEXEYAB, Profile
from yolodsc.detection.calls.cluster_map import ClusterMap
from yolodsc.detection.calls.image_input import ImageInput, ImageInputReader, in_memory, named_entries, shown_path
from yolodsc.detection.calls.pipelines import pipeline_of, tiling_of, with_images
from yolodsc.detection.calls.runners import DetectorRunners
from yolodsc.detection.calls.selection import CallOptions, SelectivePostprocessor, checked_thresholds, postprocessor
from yolodsc.detection.classes import ClassSelection, class_numbers, listed_names, reported_classes
from yolodsc.detection.detections import Detections
from yolodsc.detection.model_files import ModelFiles, names_beside, quantization_of, read_network
from yolodsc.detection.network_input import chosen_decoder, default_geometry
from yolodsc.detection.pipeline import ImageResult, Pipeline
from yolodsc.detection.postprocess import HeadDecoding
from yolodsc.images import Geometry, ImageArray, Placement
from yolodsc.network import InputSize, Network

if TYPE_CHECKING:
    from yolodsc.detection.video.stream import Source
    from yolodsc.precision import Quantization


class Detector(ClusterMap):
    """A network with everything between images and detections.

    Parameters
    ----------
    network
        Must have a head; `Classifier` runs classifiers.
    names, classes
        Names of all classes, by default their numbers; the classes to report, by name or number, by default all.
    thresh, nms_thresh
        Minimum score and maximum overlap, both strict; by default those of the profile.
    geometry
        How images are fitted; by default as profile and cfg say.
    bgr
        Arrays are in BGR order, as ``cv2.imread`` returns them.
    exif
        Turn images as their EXIF orientation says; by default as the profile does.
    decoder
        JPEG decoder: ``darknet`` gives the pixels of stb_image, which Darknet uses, and therefore Darknet's boxes; ``fast`` is
        libjpeg-turbo; ``auto`` is ``darknet`` for the profiles ``alexeyab`` and ``pjreddie`` in float32, else ``fast``. Files that
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
    OptionError, CfgError
        A threshold lies outside 0..1, or a class or the decoder is unknown; the network has no head.
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
        self.bgr, self.counts, self.precision = bgr, (threads, streams), engine.resolved_precision(precision, quantization)
        self.tiling = tiling_of(tiles, tile_overlap)
        self.reader = ImageInputReader(
            network=network,
            geometry=geometry or default_geometry(network),
            exif=profile.exif if exif is None else exif,
            decoder=chosen_decoder(network, decoder, precision=self.precision),
            progress=progress,
        )
        self.decoding = HeadDecoding(network)
        self.running: dict[str, Any] = {"isa": isa, "progress": progress, "precision": precision, "quantization": quantization}
        self._runners = DetectorRunners(
            partial(engine.compile, network, outputs=self.decoding.outputs, **self.running), threads, streams
        )
        self.runner, self.streams, self.threads = self._runners.one, self._runners.streams, self._runners.one.threads

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
        """Load a detector from a pair of files, or from a ``.npz`` or ``.safetensors`` file that is named twice.

        The parameters are those of `load`. Without ``names`` and ``data``, the names are those of a ``.names`` file beside the
        files. The precisions ``int8`` and ``auto`` use the quantization beside them, ``NAME.quant.npz``.
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
        return self._runners.many

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline from many files to detections, with the present thresholds and classes."""
        return self._pipeline(self._postprocessor(), self.many_runner)

    def _pipeline(self, post: SelectivePostprocessor, runner: engine.Runner) -> Pipeline:
        if self.tiling is not None:
            runner = self.many_runner
        return pipeline_of(self.reader, runner, self.decoding, post, self.tiling)

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
        ImageError, OptionError
            The image cannot be read, or the array has another type or shape; a threshold or class is invalid.
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

        Images and options are those of a call; arrays and tensors of four axes are batches, (N, H, W, C) and (N, C, H, W).
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
        """Return the detections in the heads' outputs (C, H, W), by layer index; see `head_outputs`.

        ``placement`` is that of `images.fit`, ``width`` and ``height`` are the size of the image in pixels.
        """
        post = self._postprocessor()
        candidates = post.candidates(outputs, placement, width=width, height=height)
        return post.detections(candidates, width=width, height=height, path=path)

    def close(self) -> None:
        """Release the runner's threads and memory; leaving a ``with`` block does so too."""
        self._runners.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _postprocessor(self, **options: Unpack[CallOptions]) -> SelectivePostprocessor:
        """The postprocessor of one call; options that are None or missing are those of the detector."""
        defaults: CallOptions = {"thresh": self.thresh, "nms": self.nms_thresh, "classes": self.classes}
        return postprocessor(self.network, self.names, options, defaults=defaults)
