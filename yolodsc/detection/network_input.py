"""Image files as the network's input: read, convert and fit."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter

from yolodsc.arrays import Array
from yolodsc.detection.addresses import content_of, is_address
from yolodsc.detection.read_ahead import Ticket, in_order
from yolodsc.engine import available_cores
from yolodsc.errors import OptionError
from yolodsc.images import DECODERS, Decoder, Geometry, ImageArray, Placement, fit, read_image
from yolodsc.network import Network
from yolodsc.values import Value


class NetworkInput(Value, eq=False):
    """An image and its form as the network's input.

    Attributes
    ----------
    image : (H, W, C) uint8
    x : (C, height, width) float32
        The network's input.
    placement
        Position and size of the image in ``x``.
    seconds
        Time that reading and fitting took.
    """

    image: ImageArray
    x: Array
    placement: Placement
    seconds: float = 0.0


class InputReader(Value, kw_only=True):
    """The first half of the pipeline: from a file to the network's input.

    Attributes
    ----------
    network
        Gives the input's shape and the profile.
    geometry
        How images are fitted.
    exif
        Turn images as their EXIF orientation says.
    decoder
        Which JPEG decoder reads the files, as for `images.read_image`.
    progress
        Called with the number of compiled kernels and their total while the decoder's kernels are compiled.
    """

    network: Network
    geometry: Geometry
    exif: bool
    decoder: Decoder
    progress: Callable[[int, int], None] | None = None

    def read(self, path: str | Path, *, ticket: Ticket | None = None, out: Array | None = None) -> NetworkInput:
        """Read and fit a file, or the image behind an address.

        Parameters
        ----------
        ticket
            Admits the bytes of the image and of the input before the image is decoded.
        out
            Where to write the network's input: float32 in C order, of its shape; a new array unless given.

        Raises
        ------
        ImageError
            The file is missing, no image, or damaged.
        """
        start = perf_counter()
        input_bytes = 4 * self.network.input_shape.size
        text = str(path)
        image = read_image(
            content_of(text) if is_address(text) else path,
            name=text,
            channels=self.network.input_shape.channels,
            exif=self.exif,
            decoder=self.decoder,
            admit=None if ticket is None else lambda size: ticket.admit(size + input_bytes),
            progress=self.progress,
        )
        return self.fit(image, start=start, out=out)

    def read_many(self, paths: Iterable[str]) -> Generator[NetworkInput]:
        """Read and fit many files with a thread for each core, and yield them in their order.

        Raises
        ------
        ImageError
            A file cannot be read; inputs of the files before it have been yielded.
        """
        threads = available_cores()

        def read(path: str, ticket: Ticket) -> NetworkInput:
            with ticket:
                return self.read(path, ticket=ticket)

        with (
            ThreadPoolExecutor(threads, "read") as pool,
            closing(in_order(paths, lambda path, ticket: pool.submit(read, path, ticket), depth=2 * threads)) as inputs,
        ):
            yield from inputs

    def fit(self, image: ImageArray, *, start: float | None = None, out: Array | None = None, bgr: bool = False) -> NetworkInput:
        """Fit an image (H, W, C), into ``out`` if given; ``start`` is the time at which its reading began.

        With ``bgr`` the channels of the image are in BGR order.
        """
        start = perf_counter() if start is None else start
        profile = self.network.profile
        x, placement = fit(image, self.network.input_shape, profile=profile, geometry=self.geometry, out=out, bgr=bgr)
        return NetworkInput(image, x, placement, perf_counter() - start)


def default_geometry(network: Network) -> Geometry:
    """Return the geometry that profile and cfg select.

    Networks with ``[detection]`` are stretched under ``pjreddie``, as its ``yolo`` command does: it cannot undo their letterbox.
    """
    if network.profile.geometry == "cfg":
        return "letterbox" if network.letter_box else "stretch"
    if network.profile.geometry == "letterbox" and any(not head.letterboxed for head in network.heads):
        return "stretch"
    return network.profile.geometry


def chosen_decoder(network: Network, decoder: str, *, precision: str = "f32") -> Decoder:
    """Return the JPEG decoder for ``darknet``, ``fast`` or ``auto``.

    ``auto`` is the decoder of the profile's program: ``darknet`` for ``alexeyab`` and ``pjreddie``, ``fast`` for ``opencv``. It is
    ``fast`` in bf16 and int8, whose boxes are not Darknet's to the bit anyway.

    Raises
    ------
    OptionError
        The decoder is unknown.
    """
    if decoder == "auto":
        return "darknet" if network.profile.resize == "darknet" and precision == "f32" else "fast"
    for known in DECODERS:
        if decoder == known:
            return known
    raise OptionError(f"decoder={decoder}: unknown; expected {', '.join(DECODERS)} or auto", parameter="decoder")
