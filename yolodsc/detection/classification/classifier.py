"""`Classifier`: images in, `Classification` out."""

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Literal, Self

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.detection.calls.image_input import ImageInput, ImageInputReader, in_memory, named_entries, shown_path
from yolodsc.detection.classes import classifier_outputs
from yolodsc.detection.classification.classification import Classification
from yolodsc.detection.network_input import NetworkInput, chosen_decoder
from yolodsc.images import ImageArray, Placement, fit, fit_centre
from yolodsc.network import Network, SoftmaxLayer

ClassifierGeometry = Literal["crop", "letterbox", "stretch"]

_DEFAULT: dict[str, ClassifierGeometry] = {"alexeyab": "crop", "pjreddie": "letterbox", "opencv": "stretch"}
"""How each program fits images (``classifier.c: predict_classifier``); OpenCV leaves it to the caller."""


class ClassifierReader(ImageInputReader, kw_only=True):
    """Fits images as classifiers expect them.

    Attributes
    ----------
    crop
        Resize the shorter side to the input and take the centre, instead of ``geometry``.
    """

    crop: bool

    def fit(self, image: ImageArray, *, start: float | None = None, out: Array | None = None, bgr: bool = False) -> NetworkInput:
        """Fit an image (H, W, C), into ``out`` if given and not cropped; the other parameters are those of `InputReader.fit`."""
        start = perf_counter() if start is None else start
        shape, profile = self.network.input_shape, self.network.profile
        if self.crop:
            centre = fit_centre(image[..., ::-1] if bgr else image, shape, profile=profile)
            return NetworkInput(image, centre, Placement(), perf_counter() - start)
        x, placement = fit(image, shape, profile=profile, geometry=self.geometry, out=out, bgr=bgr)
        return NetworkInput(image, x, placement, perf_counter() - start)


class Classifier:
    """A network that ends in class probabilities, with everything before it.

    Parameters
    ----------
    network
        Must have no head; `Detector` runs networks with heads.
    names
        One for every class; class numbers if omitted.
    geometry
        ``crop``: the shorter side fits and the centre is taken; ``letterbox`` or ``stretch``. By default as the program of the
        profile does.
    bgr, exif, decoder, threads, isa, progress
        As for `Detector`.

    Raises
    ------
    CfgError
        The network has a head, or its output is a feature map.
    """

    def __init__(
        self,
        network: Network,
        names: Sequence[str] = (),
        *,
        geometry: ClassifierGeometry | None = None,
        bgr: bool = False,
        exif: bool | None = None,
        decoder: str = "auto",
        threads: int | None = None,
        isa: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        count, profile = classifier_outputs(network), network.profile
        self.network = network
        self.names = tuple(names) or tuple(map(str, range(count)))
        self.bgr = bgr
        geometry = geometry or _DEFAULT[profile.name]
        self.reader = ClassifierReader(
            network=network,
            geometry="letterbox" if geometry == "letterbox" else "stretch",
            crop=geometry == "crop",
            exif=profile.exif if exif is None else exif,
            decoder=chosen_decoder(network, decoder),
            progress=progress,
        )
        threads, _ = engine.one_image_counts(threads, 1)
        self.runner = engine.compile(network, threads=threads, isa=isa, progress=progress)

    def __repr__(self) -> str:
        name = Path(self.network.cfg.file).name
        return (
            f"Classifier({name}: {len(self.names)} classes, input {self.network.input_shape}, profile {self.network.profile.name})"
        )

    def __call__(self, image: ImageInput, *, bgr: bool | None = None) -> Classification:
        """Classify one image of any kind that `Detector` takes; an `ImageError` if it cannot be read."""
        return self._classified(in_memory(image, bgr=self.bgr if bgr is None else bgr))

    def many(self, images: Iterable[ImageInput], *, bgr: bool | None = None) -> Generator[Classification]:
        """Classify many images, in their order; the first one that cannot be read raises an `ImageError`."""
        for entry in named_entries(images, bgr=self.bgr if bgr is None else bgr):
            yield self._classified(entry)

    def close(self) -> None:
        """Release the runner's threads and memory."""
        self.runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _classified(self, entry: str) -> Classification:
        given = self.reader.read(entry)
        probabilities = self._probabilities(self.runner(given.x)[self.network.output].reshape(-1))
        return Classification(probabilities, self.names, path=shown_path(entry), image=given.image)

    def _probabilities(self, output: Array) -> Array:
        """The output; of a hierarchy of classes the products along the tree."""
        last = self.network.layers[self.network.output]
        return last.tree.probabilities(output) if isinstance(last, SoftmaxLayer) and last.tree else output
