"""JPEGs by libjpeg-turbo through OpenCV: Pillow's pixels, and everything else left to Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yolodsc.errors import ImageError
from yolodsc.images.image import read_image
from yolodsc.images.jpeg.markers import parse
from yolodsc.images.turbo import decode_turbo


def jpeg(mode: str = "RGB", size: tuple[int, int] = (53, 37), **options: object) -> bytes:
    """A JPEG of noise."""
    channels = {"L": (), "RGB": (3,), "CMYK": (4,)}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], *channels), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("options", [{}, {"quality": 20}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_pillow(mode: str, options: dict[str, object]) -> None:
    """Of every sampling, baseline and progressive; grey is repeated."""
    content = jpeg(mode, **options)

    decoded = decode_turbo(content)

    assert decoded is not None
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
    np.testing.assert_array_equal(read_image(content, decoder="fast"), decoded)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_other_contents_are_left_to_pillow() -> None:
    """Four components, no JPEG, damaged headers."""
    cmyk, content = jpeg("CMYK"), jpeg()

    assert decode_turbo(cmyk) is None
    assert decode_turbo(b"no JPEG") is None
    assert decode_turbo(content[:200]) is None
    assert read_image(cmyk, decoder="fast").shape == (37, 53, 3)
    with pytest.raises(ImageError, match="cannot be read as an image"):
        read_image(content[:200], decoder="fast")


def test_bytes_are_admitted_before_they_are_decoded() -> None:
    """Those of the pixels."""
    asked: list[int] = []

    decode_turbo(jpeg(), admit=asked.append)

    assert asked == [53 * 37 * 3]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_exif_turns_only_if_it_is_asked_for(orientation: int, tmp_path: Path) -> None:
    """OpenCV would turn by itself."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "a.jpg").write_bytes(jpeg(exif=exif))

    plain, turned = (read_image(tmp_path / "a.jpg", decoder="fast", exif=turn) for turn in (False, True))

    assert plain.shape == (37, 53, 3)
    assert turned.shape == ((53, 37, 3) if orientation == 6 else (37, 53, 3))


def test_parsed_tables_are_shared_and_cannot_be_changed() -> None:
    """Files of one program have the same tables, which are parsed once."""
    one, other = parse(jpeg(size=(8, 8))), parse(jpeg(size=(16, 24)))

    assert one is not None
    assert other is not None
    assert (one.width, one.height, other.width, other.height) == (8, 8, 16, 24)
    assert one.quantisation[0] is other.quantisation[0]
    with pytest.raises(ValueError, match="read-only"):
        one.quantisation[0][0] = 1
