"""Sizes of images from their headers."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from yolodsc.errors import ImageError
from yolodsc.images import image_size, open_image, write_image
from yolodsc.images.jpeg.header import jpeg_size


def saved(path: Path, *, size: tuple[int, int] = (123, 45), mode: str = "RGB", **options: object) -> Path:
    """An image file of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": b"Exif\0\0" + bytes(30_000)}, {"mode": "L"}])
def test_the_header_of_a_jpeg_gives_its_size(tmp_path: Path, options: dict[str, object]) -> None:
    """Baseline, progressive, with a long segment in front of the frame, and grey."""
    assert jpeg_size(saved(tmp_path / "a.jpg", **options)) == (123, 45)


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.jpg", {"mode": "CMYK"})])
def test_other_files_have_the_size_that_pillow_reads(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    """They are no Huffman-coded JPEG of 1 or 3 planes."""
    path = saved(tmp_path / name, **options)

    assert jpeg_size(path) is None
    assert image_size(path) == (123, 45)


def test_a_damaged_header_gives_the_size_that_pillow_reads_or_none(tmp_path: Path) -> None:
    """Over a thousand files with one to three changed bytes, and files that are cut off."""
    random, path = Random(5), tmp_path / "a.jpg"
    content = saved(path).read_bytes()
    agreed = 0
    for number in range(1000):
        damaged = bytearray(content[: random.randrange(2, 700)] if number % 4 == 0 else content)
        for _ in range(number % 3):
            damaged[random.randrange(min(len(damaged), 250))] = random.randrange(256)
        path.write_bytes(damaged)
        found = jpeg_size(path)
        try:
            with open_image(path) as image:
                assert found in (None, image.size)
                agreed += found is not None
        except (OSError, SyntaxError, ValueError, ImageError):
            continue
    assert agreed > 300


def test_a_missing_file_is_an_error_as_for_the_image(tmp_path: Path) -> None:
    """`image_size` raises what `open_image` raises."""
    for function in (image_size, lambda path: open_image(path).__enter__()):
        with pytest.raises((ImageError, OSError), match="missing"):
            function(tmp_path / "missing.jpg")


def test_sizes_of_images_that_the_package_writes(tmp_path: Path) -> None:
    """Width comes first."""
    write_image(tmp_path / "a.jpg", np.zeros((20, 30, 3), np.uint8))
    assert image_size(tmp_path / "a.jpg") == (30, 20)
