"""Decoding, Darknet's resize and letterbox, and the way back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import GOLDEN
from yolodsc.arrays import Shape
from yolodsc.darknet.profile import ALEXEYAB, OPENCV, PJREDDIE
from yolodsc.errors import ImageError
from yolodsc.images import limits
from yolodsc.images.conversion import from_array
from yolodsc.images.image import fit, read_image, resize
from yolodsc.images.jpeg import read_jpeg

CASES = sorted(path.stem for path in (GOLDEN / "images").glob("*.npz"))


@pytest.mark.parametrize("profile", [ALEXEYAB, PJREDDIE], ids=lambda profile: profile.name)
@pytest.mark.parametrize("case", CASES)
def test_resize_and_letterbox_equal_darknets_bit_for_bit(case: str, profile) -> None:
    """Both programs, stretched and letterboxed."""
    name, size = case.rsplit("_", 1)
    width, height = map(int, size.split("x"))
    image = read_image(GOLDEN / f"images/{name}.png")
    with np.load(GOLDEN / f"images/{case}.npz") as golden:
        for geometry, key in (("stretch", "resize"), ("letterbox", "letterbox")):
            out, _ = fit(image, Shape(3, height, width), profile=profile, geometry=geometry)

            np.testing.assert_array_equal(out, golden[f"{key}_{profile.name}"])


@pytest.mark.parametrize(("source", "target"), [(480, 240), (480, 336), (400, 332), (720, 342), (333, 320)])
def test_the_last_row_goes_dark_where_darknets_does(source: int, target: int) -> None:
    """Rounding puts its source just above the last input row, and the second term is skipped."""
    out = resize(np.ones((1, source, 4), np.float32), width=4, height=target)

    assert out[0, -1].max() < 1e-4
    assert out[0, -2].min() > 0.999


@pytest.mark.parametrize(("source", "target"), [(480, 416), (375, 312), (500, 512), (1, 4), (4, 1), (7, 7)])
def test_the_last_row_stays_bright_elsewhere(source: int, target: int) -> None:
    """Also for maps of a single row, where Darknet divides by zero."""
    out = resize(np.ones((1, source, 4), np.float32), width=4, height=target)

    np.testing.assert_allclose(out, 1, rtol=1e-5)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 200), st.integers(1, 200))
def test_letterboxed_boxes_come_back(width: int, height: int, net_width: int, net_height: int) -> None:
    """The box of the whole image covers the pasted part within a pixel, and undo makes it the whole again."""
    shape = Shape(1, net_height, net_width)
    canvas, placement = fit(np.zeros((height, width, 1), np.uint8), shape, profile=ALEXEYAB, geometry="letterbox")
    rows, columns = np.nonzero(canvas[0] == 0)
    pasted = [
        (columns.min() + columns.max() + 1) / 2 / net_width,
        (rows.min() + rows.max() + 1) / 2 / net_height,
        (np.ptp(columns) + 1) / net_width,
        (np.ptp(rows) + 1) / net_height,
    ]

    box = placement.undo(np.float32([pasted]))[0]

    error = np.abs(box - [0.5, 0.5, 1, 1]) * [*placement.scale, *placement.scale] * ([net_width, net_height] * 2)
    assert error.max() <= 0.5 + 1e-3


def test_opencv_profile_resizes_as_opencv() -> None:
    """Half-pixel centres, on bytes."""
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)

    out, _ = fit(image, Shape(3, 16, 24), profile=OPENCV, geometry="stretch")

    np.testing.assert_allclose(out, cv2.resize(image, (24, 16)).transpose(2, 0, 1) / 255, atol=1e-6)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options) -> Path:
    """Write pixels by way of Pillow."""
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


RED = np.tile(np.uint8([200, 20, 40]), (6, 8, 1))


@pytest.mark.parametrize(("mode", "tolerance"), [("RGB", 0), ("RGBA", 0), ("P", 51), ("CMYK", 2)])
def test_colour_files_of_every_kind_are_read(tmp_path: Path, mode: str, tolerance: int) -> None:
    """Alpha is dropped, palettes and inks are converted."""
    path = save(tmp_path / f"a{'.tif' if mode == 'CMYK' else '.png'}", RED, mode)

    image = read_image(path)

    assert image.shape == (6, 8, 3)
    assert np.abs(image.astype(int) - RED).max() <= tolerance


@pytest.mark.parametrize(
    ("pixels", "mode", "wanted"),
    [
        (np.full((6, 8), 99, np.uint8), None, 99),
        (np.full((6, 8), 99, np.uint8), "LA", 99),
        (np.full((6, 8), 0xABCD, np.uint16), None, 0xAB),
        (np.full((6, 8), 255, np.uint8), "1", 255),
    ],
)
def test_grey_files_of_every_kind_are_read(tmp_path: Path, pixels: np.ndarray, mode: str | None, wanted: int) -> None:
    """8 and 16 bits, 1 bit, grey with alpha; for networks of 1 and of 3 channels."""
    path = save(tmp_path / "a.png", pixels, mode)

    assert (read_image(path) == wanted).all()
    assert read_image(path, channels=1).shape == (6, 8, 1)
    assert (read_image(path, channels=1) == wanted).all()


@pytest.mark.parametrize(
    ("pixels", "wanted"),
    [
        (np.full((6, 8), 0.5, np.float32), 128),
        (np.full((6, 8), 99.0, np.float32), 99),
        (np.full((6, 8), 0xABCD_0000 >> 1, np.int32), 0xAB),
        (np.full((6, 8), 200, np.int32), 200),
    ],
)
def test_deep_tiffs_are_neither_black_nor_white(tmp_path: Path, pixels: np.ndarray, wanted: int) -> None:
    """Real numbers within 0..1 are shares of white; of 32 bits the upper 8 that are in use count."""
    path = tmp_path / "a.tif"
    Image.fromarray(pixels).save(path)

    assert (read_image(path) == wanted).all()


def test_colour_becomes_grey_as_in_stb(tmp_path: Path) -> None:
    """(77 R + 150 G + 29 B) >> 8."""
    path = save(tmp_path / "a.png", RED)

    assert (read_image(path, channels=1) == (77 * 200 + 150 * 20 + 29 * 40) >> 8).all()


def test_exif_orientation_is_followed_only_when_asked(tmp_path: Path) -> None:
    """Darknet doesn't."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", RED, exif=exif)

    assert read_image(path).shape == (6, 8, 3)
    assert read_image(path, exif=True).shape == (8, 6, 3)


BROKEN = [(None, "no such file"), (b"", "cannot be read"), (b"not an image", "cannot be read")]


@pytest.mark.parametrize(("content", "found"), BROKEN)
def test_what_is_no_image_is_an_error_of_one_line(tmp_path: Path, content: bytes | None, found: str) -> None:
    """Missing, empty, something else."""
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ImageError, match=found) as error:
        read_image(path)

    assert "\n" not in str(error.value)


def test_truncated_files_are_errors(tmp_path: Path) -> None:
    """Darknet would go on with a black image."""
    path = save(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:900])

    with pytest.raises(ImageError, match="cannot be read"):
        read_image(path)


@given(st.binary(max_size=120))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Any file is read, or refused with an error of ours."""
    path = tmp_path_factory.getbasetemp() / "fuzz.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)

    with pytest.raises(ImageError):
        read_image(path)


def test_huge_images_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decompression bombs."""
    monkeypatch.setattr(limits, "MAX_PIXELS", 40)

    with pytest.raises(ImageError, match="8x6 pixels; at most 40"):
        read_image(save(tmp_path / "a.png", RED))


@pytest.mark.parametrize(("shape", "kind"), [((4, 4, 2), "u1"), ((4, 4, 3), "f8"), ((4,), "u1"), ((0, 4, 3), "u1")])
def test_arrays_that_are_no_images_are_refused(shape: tuple[int, ...], kind: str) -> None:
    """Type and shape are named."""
    with pytest.raises(ImageError, match="expected"):
        from_array(np.zeros(shape, kind))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_the_grey_of_a_jpeg_is_its_luma(tmp_path: Path, options: dict[str, Any]) -> None:
    """Decoded as stb_image does it, not weighted from RGB; within a level or two of libjpeg's."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(pixels).resize((80, 48)).save(path, quality=80, **options)
    with Image.open(path) as other:
        other.draft("L", None)
        libjpegs = np.asarray(other)

    grey = read_image(path, channels=1)

    assert (grey == read_jpeg(path, channels=1)).all()
    assert np.abs(grey[..., 0].astype(int) - libjpegs).max() <= 2
    assert (grey != from_array(read_image(path), channels=1)).any()


def test_the_luma_of_a_jpeg_is_turned_when_asked(tmp_path: Path) -> None:
    """As its EXIF orientation says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", RED, exif=exif)

    upright = read_image(path, channels=1)

    assert upright.shape == (6, 8, 1)
    assert (read_image(path, channels=1, exif=True) == np.rot90(upright, -1)).all()


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_jpegs_without_a_luma_plane_of_three_become_grey_too(tmp_path: Path, mode: str) -> None:
    """Inks are weighted, grey files are grey already."""
    path = save(tmp_path / "a.jpg", RED, mode)

    assert read_image(path, channels=1).shape == (6, 8, 1)
