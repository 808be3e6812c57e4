"""One detector of the bundled networks and one image for the tests of the interface."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import yolodsc
from yolodsc.images.image import write_image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def detector() -> Iterator[yolodsc.Detector]:
    """The smaller bundled network with a threshold at which blobs of colour are objects."""
    with yolodsc.load("dsc-fastest-voc", thresh=0.01) as made:
        yield made


@pytest.fixture(scope="session")
def image() -> NDArray[np.uint8]:
    """Blocks of colour, (96, 128, 3), whose channels differ."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (6, 8, 3), np.uint8)
    blocks[..., 2] //= 3
    return np.ascontiguousarray(blocks.repeat(16, axis=0).repeat(16, axis=1))


@pytest.fixture(scope="session")
def path(image: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image as a PNG file."""
    file = tmp_path_factory.mktemp("images") / "blocks.png"
    write_image(file, image)
    return str(file)
