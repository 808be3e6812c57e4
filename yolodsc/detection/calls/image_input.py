"""Images of every kind that Python programs have: paths, addresses, bytes, files, Pillow images, arrays and tensors."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.detection.addresses import MAX_BYTES, bounded
from yolodsc.detection.network_input import InputReader, NetworkInput
from yolodsc.errors import ImageError
from yolodsc.images import ImageArray, from_array, from_pillow, from_tensor, read_image

if TYPE_CHECKING:
    from yolodsc.detection.read_ahead import Ticket

    class BinaryFile(Protocol):
        """A file that is open for reading bytes."""

        def read(self, size: int, /) -> bytes:
            """Read at most ``size`` bytes."""
            ...

    class PillowImage(Protocol):
        """An image of Pillow."""

        def getexif(self) -> Any:
            """Return its EXIF data."""
            ...

    class TensorLike(Protocol):
        """A tensor of PyTorch."""

        def detach(self) -> Any:
            """Return the tensor without its history."""
            ...

    class ArrayLike(Protocol):
        """An object that NumPy converts to an array."""

        def __array__(self) -> NDArray[Any]: ...


ImageInput: TypeAlias = (
    "str | PathLike[str] | bytes | bytearray | memoryview | BinaryFile | PillowImage | NDArray[Any] | TensorLike | ArrayLike"
)
"""An image of any kind; `Detector.__call__` describes them."""


class InMemory(str):
    """An image without a file among the paths of a pipeline: its text is what errors call it.

    Attributes
    ----------
    content
        The image, as `Detector` takes it.
    """

    __slots__ = ("bgr", "content")

    content: Any
    bgr: bool

    @classmethod
    def of(cls, content: Any, name: str, *, bgr: bool) -> "InMemory":
        """Return an image with the name for messages."""
        made = cls(name)
        made.content, made.bgr = content, bgr
        return made


class ImageInputReader(InputReader, kw_only=True):
    """Reads files as its base class does, and images of every other kind."""

    def read(self, path: Any, *, ticket: "Ticket | None" = None, out: Array | None = None) -> NetworkInput:
        """Read and fit a file or an `InMemory` image; an `ImageError` if it cannot be used."""
        if not isinstance(path, InMemory):
            return InputReader.read(self, path, ticket=ticket, out=out)
        start = perf_counter()
        image = self.pixels(path.content, name=str(path), bgr=path.bgr)
        if ticket is not None:
            ticket.admit(image.nbytes + 4 * self.network.input_shape.size)
        return self.fit(image, start=start, out=out)

    def pixels(self, image: Any, *, name: str, bgr: bool) -> ImageArray:
        """Return an image of any kind but a path as (H, W, C) bytes, RGB or grey as the network reads."""
        channels = self.network.input_shape.channels
        content = encoded(image, name)
        if content is not None:
            return read_image(content, name=name, channels=channels, exif=self.exif, decoder=self.decoder, progress=self.progress)
        try:
            if hasattr(image, "getexif"):
                return from_pillow(self._turned(image), channels=channels)
            if hasattr(image, "detach"):
                values = _array(image.detach().cpu())
                return from_tensor(values[::-1] if bgr and len(values) == 3 else values, channels=channels)
            return from_array(_rgb(_array(image)) if bgr else _array(image), channels=channels)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None

    def _turned(self, image: Any) -> Any:
        """A Pillow image turned as its EXIF orientation says, where the profile does that."""
        from PIL import ImageOps

        return ImageOps.exif_transpose(image) if self.exif else image


def encoded(image: Any, name: str) -> bytes | None:
    """The bytes of a file in memory or an open file; None for pixels."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if hasattr(image, "getexif") or not hasattr(image, "read"):
        return None
    try:
        content = image.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not isinstance(content, bytes):
        raise ImageError(f"{name}: gives {type(content).__name__}; expected a file that is open for reading bytes, mode 'rb'")
    return bounded(content, name)


def in_memory(image: Any, *, bgr: bool, name: str = "image") -> str:
    """A path of a pipeline: that of a file and addresses as they are, all other images as `InMemory`."""
    path = path_of(image)
    return InMemory.of(image, name, bgr=bgr) if path is None else path


def shown_path(entry: str) -> str | None:
    """The path or address of an entry; None for images in memory."""
    return None if isinstance(entry, InMemory) else str(entry)


def path_of(image: Any) -> str | None:
    """The path or address of an image that is one; None for all other kinds."""
    return fspath(image) if isinstance(image, str | PathLike) else None


def named_entries(images: Iterable[Any], *, bgr: bool) -> Iterator[str]:
    """Paths of a pipeline: those of files as they are, all other images as `InMemory`; arrays of four axes are batches.

    A single image is refused: iteration would take the characters of a path, or the rows of an array, as images.
    """
    if isinstance(images, str | bytes | PathLike) or _is_image_array(images):
        raise ImageError("images: one image or folder; expected several images, such as a list of paths")
    return _entries(images, bgr=bgr)


def _is_image_array(images: Any) -> bool:
    """Whether it is an array (H, W, 1), (H, W, 3) or (H, W, 4)."""
    return isinstance(images, np.ndarray) and images.ndim == 3 and images.shape[2] in (1, 3, 4)


def _entries(images: Iterable[Any], *, bgr: bool) -> Iterator[str]:
    number = 0
    for one in images:
        batch = one if getattr(one, "ndim", 0) == 4 else (one,)
        for image in batch:
            number += 1
            yield in_memory(image, bgr=bgr, name=f"image {number}")


def _array(image: Any) -> NDArray[Any]:
    """The array of one image; an `ImageError` for a batch, and for what is no image at all."""
    array = np.asarray(image)
    if array.ndim == 4:
        raise ImageError(f"a batch of shape {array.shape}; expected one image, or a call of `many`")
    if array.ndim == 0 or array.dtype == object:
        kinds = "a path, URL, bytes, open file, Pillow image, array or tensor"
        raise ImageError(f"an object of type {type(image).__name__}; expected {kinds}")
    return array


def _rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """BGR or BGRA as RGB; other shapes stay."""
    return pixels[..., 2::-1] if pixels.ndim == 3 and pixels.shape[2] in (3, 4) else pixels
