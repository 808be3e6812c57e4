"""Bytes to planes in one pass beside the plain NumPy way, which is beside Darknet's own results in ``test_image.py``."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.arrays import Shape
from yolodsc.darknet.profile import ALEXEYAB, OPENCV
from yolodsc.images import preprocess
from yolodsc.images.image import fit, letterboxed, resize, to_planar
from yolodsc.jit.kernel import Kernel


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compiled, not what serves until then."""
    for kernel in preprocess.KERNELS:
        kernel.load()


SIZES = [(1, 1, 4, 5), (1, 9, 5, 5), (9, 1, 5, 5), (5, 5, 1, 9), (5, 5, 9, 1), (2, 2, 30, 33), (3, 3, 16, 17), (480, 31, 240, 20),
         (375, 500, 320, 320), (40, 50, 40, 50), (40, 15, 40, 15)]  # fmt: skip
"""Height and width before and after: single rows and columns, both directions, the dark last row, none at all."""


def pixels(height: int, width: int, channels: int) -> np.ndarray:
    """Noise."""
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)


def shares(image: np.ndarray) -> np.ndarray:
    """Planes (C, H, W) of quotients."""
    return image.transpose(2, 0, 1).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 256])
def test_every_byte_becomes_its_quotient_by_255(channels: int, width: int) -> None:
    """All 256, in vectors and beside them."""
    image = np.resize(np.arange(256, dtype=np.uint8), (256, width, channels))

    np.testing.assert_array_equal(to_planar(image), shares(image))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_one_pass_resizes_as_numpy_does(size: tuple[int, int, int, int], channels: int) -> None:
    """Bit for bit."""
    image = pixels(*size[:2], channels)

    out, _ = fit(image, Shape(channels, *size[2:]), profile=ALEXEYAB, geometry="stretch")

    np.testing.assert_array_equal(out, resize(shares(image), height=size[2], width=size[3]))


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([1, 3]),
    st.sampled_from([ALEXEYAB, OPENCV]),
)
def test_letterboxes_are_written_at_once(height: int, width: int, rows: int, columns: int, channels: int, profile) -> None:
    """Image and margin, into the array that is given, whatever it held."""
    image, shape = pixels(height, width, channels), Shape(channels, rows, columns)
    inner_width, inner_height = letterboxed(width, height, shape)
    inner, _ = fit(image, Shape(channels, inner_height, inner_width), profile=profile, geometry="stretch")
    expected = np.full(shape, 0.5, np.float32)
    left, top = (columns - inner_width) // 2, (rows - inner_height) // 2
    expected[:, top : top + inner_height, left : left + inner_width] = inner

    out, _ = fit(image, shape, profile=profile, geometry="letterbox", out=(given := np.full(shape, np.nan, np.float32)))

    assert out is given
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "view", [lambda p: p[:, ::-1], lambda p: p[::2], lambda p: p.transpose(1, 0, 2), lambda p: np.dstack([p, p])[..., :3]]
)
def test_views_are_read_as_they_look(view) -> None:
    """Mirrored, thinned, transposed, without alpha."""
    image = view(pixels(30, 40, 3))

    out, _ = fit(image, Shape(3, 19, 23), profile=ALEXEYAB, geometry="stretch")

    np.testing.assert_array_equal(out, resize(shares(image), height=19, width=23))


@pytest.mark.parametrize(
    "out",
    [
        np.empty((3, 8, 9), np.float64),
        np.empty((3, 9, 8), np.float32),
        np.empty((1, 8, 9), np.float32),
        np.empty((3, 9, 8), np.float32).transpose(0, 2, 1),
    ],
)
def test_outputs_that_do_not_fit_are_refused(out: np.ndarray) -> None:
    """Another type, size, number of planes or order."""
    with pytest.raises(ValueError, match=r"out: .* expected"):
        fit(pixels(5, 5, 3), Shape(3, 8, 9), profile=ALEXEYAB, geometry="stretch", out=out)


def test_read_only_outputs_are_refused() -> None:
    """Nothing is written into them."""
    out = np.zeros((3, 8, 9), np.float32)
    out.flags.writeable = False

    with pytest.raises(ValueError, match="writable"):
        preprocess.resized(pixels(5, 5, 3), out, width=9, height=8)


def test_numpy_serves_until_compiling_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first images of a machine do not wait for the compiler; they are the same, and the kernel comes when there are many."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path))
    monkeypatch.setattr(preprocess, "_PATIENCE", 3)
    compiled, kernel = preprocess._resized, Kernel("yolodsc.images.preprocess.resize:resized", preprocess.RESIZED)
    monkeypatch.setattr(preprocess, "_resized", kernel)
    image, loads = pixels(40, 50, 3), []
    monkeypatch.setattr(kernel, "load", lambda: loads.append(1) or compiled)

    found = [fit(image, Shape(3, 30, 30), profile=ALEXEYAB, geometry="stretch")[0] for _ in range(5)]

    assert len(loads) == 2
    for out in found:
        np.testing.assert_array_equal(out, resize(shares(image), height=30, width=30))


def test_threads_resize_at_once() -> None:
    """No state is shared."""
    images = [pixels(40 + i, 50, 3) for i in range(24)]
    expected = [resize(shares(image), height=32, width=32) for image in images]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda p: fit(p, Shape(3, 32, 32), profile=ALEXEYAB, geometry="stretch")[0], images))

    for out, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(out, wanted)


def test_grey_has_stb_images_weights() -> None:
    """For every pixel of a noise."""
    image = pixels(33, 47, 3)

    np.testing.assert_array_equal(preprocess.grey(image)[..., 0], (image @ np.array([77, 150, 29])) >> 8)


@pytest.mark.parametrize("profile", [ALEXEYAB, OPENCV])
@pytest.mark.parametrize("geometry", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(48, 31), (37, 96), (32, 64)])
def test_bgr_images_give_the_input_of_rgb_images(profile: object, geometry: object, size: tuple[int, int]) -> None:
    """Bit for bit, resized or not."""
    image, shape = pixels(*size, 3), Shape(3, 32, 64)

    expected, placement = fit(image, shape, profile=profile, geometry=geometry)  # type: ignore[arg-type]
    reversed_order = np.ascontiguousarray(image[..., ::-1])
    found, found_placement = fit(reversed_order, shape, profile=profile, geometry=geometry, bgr=True)  # type: ignore[arg-type]

    assert np.array_equal(found, expected)
    assert found_placement == placement


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 8), (3, 7), (40, 51)])
def test_channels_are_exchanged(size: tuple[int, int]) -> None:
    """The first and the third byte of each pixel, in vectors and in the rest, and of views."""
    image = pixels(*size, 3)
    out = np.empty_like(image)

    preprocess.exchanged(image, out)
    assert np.array_equal(out, image[..., ::-1])
    preprocess.exchanged(image[::-1], out)
    assert np.array_equal(out, image[::-1, :, ::-1])
    with pytest.raises(ValueError, match="expected a writable array"):
        preprocess.exchanged(image, out[:, :, :1])
