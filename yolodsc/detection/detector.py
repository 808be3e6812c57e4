"""`Detector`: images in, `Detections` out."""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.darknet import ALEXEYAB, Profile, read_data_names, read_names, require_class_count
from yolodsc.detection.bundled import DEFAULT_MODEL, names_beside, resolve_model
from yolodsc.detection.detections import Detections
from yolodsc.detection.read_ahead import Ticket, in_order
from yolodsc.errors import CfgError, ImageError, OptionError, YolodscError
from yolodsc.images import Geometry, ImageArray, Placement, fit, from_array, read_image
from yolodsc.network import Candidates, Head, Network, concatenated, drop_nonfinite, nms

READ_AHEAD = 4
"""Images that are read or wait while the network works on earlier ones; large ones are fewer (`read_ahead.IN_FLIGHT`)."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageResult:
    """One image of many: its detections and the image itself, or why it could not be read.

    ``seconds`` is the time of the network and of everything after it, without reading.
    """

    path: str
    detections: Detections | None = None
    image: ImageArray | None = None
    error: YolodscError | None = None
    seconds: float = 0.0


class Detector:
    """A network ready to find objects.

    Parameters
    ----------
    network
        Must have a head.
    names
        One for every class; class numbers where not given.
    thresh, nms_thresh
        Least score and greatest overlap, both strict; the profile's unless given.
    geometry
        How images are fitted; unless given, as profile and cfg say.
    classes
        Report only these class numbers.
    exif
        Turn images as their EXIF orientation says; as the profile does unless given.
    threads
        How many threads one image may use; cut to the cores that this process has.
    streams
        How many images `many` works on at the same time; cut so that all threads together are no more than the cores.
    isa, progress
        As for `engine.compile`.
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
        threads: int = 1,
        streams: int = 1,
        isa: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        for name, value in (("thresh", thresh), ("nms_thresh", nms_thresh)):
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"{name}={value:g}: expected 0 to 1", parameter=name)
        profile = network.profile
        self.network = network
        self.names = names or tuple(str(number) for number in range(reported_classes(network)))
        self.thresh = profile.thresh if thresh is None else thresh
        self.nms_thresh = profile.nms_thresh if nms_thresh is None else nms_thresh
        self.geometry = geometry or default_geometry(network)
        self.classes = classes
        self.exif = profile.exif if exif is None else exif
        self.runner = engine.compile(network, threads=threads, streams=streams, isa=isa, progress=progress)
        self.threads, self.streams = self.runner.threads, self.runner.streams

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
        **options: Any,
    ) -> Self:
        """A detector from files; ``names`` or ``data`` unless a ``.names`` file lies beside. ``options`` as for the class."""
        network = Network.load(cfg, weights, profile=profile, partial=partial, allow_nonfinite=allow_nonfinite)
        beside = names_beside(Path(cfg), Path(weights))
        place = names or data or beside
        listed: tuple[str, ...] = ()
        if names is None and data is not None:
            listed = read_data_names(data)
        elif place:
            listed = read_names(place)
        return cls(network, class_names(network, listed, place=str(place)) if listed else (), **options)

    def __call__(self, image: str | Path | NDArray[Any]) -> Detections:
        """Find objects in a file, or in (H, W, 3) RGB bytes (grey and RGBA work too)."""
        channels = self.network.input_shape.channels
        if isinstance(image, str | Path):
            return self._detect(read_image(image, channels=channels, exif=self.exif), path=str(image))
        if not isinstance(image, np.ndarray):
            image = np.asarray(image)
        return self._detect(from_array(image, channels=channels), path=None)

    def many(self, paths: Iterable[str]) -> Iterator[ImageResult]:
        """Find objects in many files, in order; a file that cannot be read is reported in its place.

        Images are read ahead, the network works on as many as there are streams, and what the caller does with one overlaps with
        both.
        """
        with (
            ThreadPoolExecutor(max(2, self.streams), "read") as readers,
            ThreadPoolExecutor(self.streams, "network") as workers,
        ):

            def begin(path: str, ticket: Ticket) -> "Future[ImageResult]":
                return workers.submit(self._found, path, readers.submit(self._ready, path, ticket))

            yield from in_order(paths, begin, depth=READ_AHEAD + self.streams)

    def close(self) -> None:
        """Release the runner's threads and memory."""
        self.runner.close()

    def _ready(self, path: str, ticket: Ticket) -> tuple[ImageArray, Array, Placement]:
        """A file's image, as the network reads it, and where it lies there."""
        with ticket:
            channels, input_bytes = self.network.input_shape.channels, 4 * self.network.input_shape.size
            image = read_image(path, channels=channels, exif=self.exif, admit=lambda size: ticket.admit(size + input_bytes))
            return image, *self._fit(image)

    def _fit(self, image: ImageArray) -> tuple[Array, Placement]:
        return fit(image, self.network.input_shape, profile=self.network.profile, geometry=self.geometry)

    def _found(self, path: str, reading: "Future[tuple[ImageArray, Array, Placement]]") -> ImageResult:
        try:
            image, x, placement = reading.result()
        except ImageError as error:
            return ImageResult(path, error=error)
        start = perf_counter()
        height, width = image.shape[:2]
        detections = self.detections(self.runner(x), placement, width=width, height=height, path=path)
        return ImageResult(path, detections, image, seconds=perf_counter() - start)

    def _detect(self, image: ImageArray, *, path: str | None) -> Detections:
        height, width = image.shape[:2]
        x, placement = self._fit(image)
        return self.detections(self.runner(x), placement, width=width, height=height, path=path)

    def detections(
        self, outputs: dict[int, Array], placement: Placement, *, width: int, height: int, path: str | None = None
    ) -> Detections:
        """Decode, undo the geometry, suppress: from the heads' outputs by layer index to detections in pixels."""
        network, profile = self.network, self.network.profile
        floor = max(self.thresh, profile.score_floor)
        decoded = [head.decode(outputs[head.index], input_shape=network.input_shape, thresh=floor) for head in network.heads]
        placed = [_relative(found, head, placement) for found, head in zip(decoded, network.heads, strict=True)]
        last = network.heads[-1]
        kept = nms(
            drop_nonfinite(concatenated(placed), width=width, height=height),
            kind=last.nms_kind if profile.nms == "cfg" else "default",
            thresh=self.nms_thresh,
            beta=last.beta_nms,
        )
        found = Detections.from_candidates(kept, names=self.names, width=width, height=height, path=path)
        return found if self.classes is None else found.of_classes(self.classes)


def _relative(found: Candidates, head: Head, placement: Placement) -> Candidates:
    """A head's candidates relative to the image, as far as Darknet undoes the letterbox."""
    return replace(found, boxes_xywh=placement.undo(found.boxes_xywh)) if head.letterboxed else found


def reported_classes(network: Network) -> int:
    """How many classes the heads report; a `CfgError` where they differ, or where there is no head."""
    counts = {head.reported for head in network.heads}
    if not counts:
        wanted = "wanted [yolo], [Gaussian_yolo], [region] or [detection]"
        raise CfgError(f"{network.cfg.file}: no detection head in this network; {wanted}")
    if len(counts) > 1:
        raise CfgError(f"{network.cfg.file}: heads of {' and '.join(map(str, sorted(counts)))} classes; wanted one count")
    return counts.pop()


def class_names(network: Network, listed: tuple[str, ...], *, place: str) -> tuple[str, ...]:
    """The names of a list, of which ``place`` is the file; a `DatasetError` unless there is one for every class of the heads."""
    return require_class_count(listed, classes=reported_classes(network), source=place) if network.heads else listed


def default_geometry(network: Network) -> Geometry:
    """What profile and cfg say of fitting images.

    Networks with ``[detection]`` are stretched under ``pjreddie``, as its ``yolo`` command does: it cannot undo their letterbox.
    """
    if network.profile.geometry == "cfg":
        return "letterbox" if network.letter_box else "stretch"
    if network.profile.geometry == "letterbox" and any(not head.letterboxed for head in network.heads):
        return "stretch"
    return network.profile.geometry


def load(model: str | Path = DEFAULT_MODEL, *, profile: Profile = ALEXEYAB, **options: Any) -> Detector:
    """A detector by the name of a shipped network, or from a directory with one ``.cfg``, ``.weights`` and ``.names``."""
    files = resolve_model(str(model))
    return Detector.from_files(files.cfg, files.weights, files.names, profile=profile, **options)


def class_numbers(names: tuple[str, ...], wanted: str) -> list[int]:
    """Class numbers of a comma-separated list of names or numbers; an `OptionError` for a name that there is not."""
    numbers = []
    for item in filter(None, (part.strip() for part in wanted.split(","))):
        if item in names:
            numbers.append(names.index(item))
        elif item.isdecimal() and int(item) < len(names):
            numbers.append(int(item))
        else:
            known = f"{', '.join(names[:8])}{' …' * (len(names) > 8)}"
            raise OptionError(f"classes={item}: unknown class; expected {known}", parameter="classes")
    if not numbers:
        raise OptionError("classes: names no class; expected at least one", parameter="classes")
    return numbers
