"""Training images: found before the training, decoded once, and kept as long as they fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yolodsc.detection import image_paths
from yolodsc.errors import DatasetError
from yolodsc.files import exists, is_file
from yolodsc.images import ImageArray, read_image

CAPACITY = 3 * 2**30
"""Bytes of decoded images after which no further image is kept; other images are decoded each time."""


def training_images(source: str) -> list[str]:
    """Return the paths of a folder or list; relative paths of a list may be relative to the list's folder.

    Raises
    ------
    OptionError, DatasetError
        The source does not exist or is empty, or an image is missing.
    """
    paths = image_paths([source])
    folder = Path(source).parent
    found = [path if exists(path) else str(folder / path) for path in paths]
    missing = [path for path, candidate in zip(paths, found, strict=True) if not is_file(candidate)]
    if missing:
        raise DatasetError(f"{source}: {missing[0]} is missing ({len(missing)} of {len(paths)} images are)")
    return found


@dataclass(slots=True)
class ImageCache:
    """Decoded images by number."""

    paths: Sequence[str]
    channels: int
    exif: bool = False
    _images: dict[int, ImageArray] = field(default_factory=dict)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> ImageArray:
        image = self._images.get(number)
        if image is None:
            image = read_image(self.paths[number], channels=self.channels, exif=self.exif)
            if self._bytes < CAPACITY:
                self._bytes += image.nbytes
                self._images[number] = image
        return image
