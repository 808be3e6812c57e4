"""JPEG decoding beside stb_image's: its results of seventeen files are in ``golden/jpeg.npz``."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import GOLDEN
from yolodsc.images.jpeg import decode_jpeg, kernels, read_jpeg

with np.load(GOLDEN / "jpeg.npz") as _archive:
    STORED = dict(_archive)
FILES = {name: array.tobytes() for name, array in STORED.items() if "." not in name}


@pytest.mark.parametrize("name", FILES)
def test_every_byte_is_stb_images(name: str) -> None:
    """Sequential and progressive, all samplings, restarts, one and three components."""
    image = decode_jpeg(FILES[name])

    np.testing.assert_array_equal(image, STORED[f"{name}.rgb"])


@pytest.mark.parametrize("name", sorted(set(FILES) - {"rgb"}))
def test_grey_is_the_luma_that_stb_image_takes(name: str) -> None:
    """For networks of one channel; files without luma are left to another decoder."""
    grey = decode_jpeg(FILES[name], channels=1)

    np.testing.assert_array_equal(grey, STORED[f"{name}.grey"])
    assert decode_jpeg(FILES["rgb"], channels=1) is None


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_cut_off_are_left_to_another_decoder(name: str) -> None:
    """Wherever that is, between two scans too; it reports them as it always did."""
    content = FILES[name]

    assert all(decode_jpeg(content[:length]) is None for length in range(len(content)))


@given(
    name=st.sampled_from(sorted(FILES)), changes=st.dictionaries(st.floats(0, 1, exclude_max=True), st.integers(0, 255), min_size=1)
)
def test_damaged_files_give_a_image_or_none(name: str, changes: dict[float, int]) -> None:
    """Never an error."""
    content = bytearray(FILES[name])
    for place, value in changes.items():
        content[int(place * len(content))] = value

    image = decode_jpeg(bytes(content))

    assert image is None or (image.dtype == np.uint8 and image.shape[2] == 3)


@pytest.mark.parametrize("mode", ["CMYK", "PNG"])
def test_other_files_are_left_to_another_decoder(mode: str) -> None:
    """Four components; no JPEG at all."""
    file = io.BytesIO()
    Image.new("CMYK" if mode == "CMYK" else "RGB", (8, 8)).save(file, "JPEG" if mode == "CMYK" else "PNG")

    assert decode_jpeg(file.getvalue()) is None


def test_a_file_that_cannot_be_read_is_left_to_another_decoder(tmp_path: Path) -> None:
    """So that there is one place that complains."""
    assert read_jpeg(tmp_path / "none.jpg") is None


CONSTANTS = """
0.5411961 -1.847759065 0.765366865 1.175875602 0.298631336 2.053119869 3.072711026 1.501321110
-0.899976223 -2.562915447 -1.961570560 -0.390180644
"""


def transformed(s: np.ndarray) -> list[np.ndarray]:
    """stb_image's one-dimensional transform of eight numbers along the first axis, in Python's integers."""
    a, b, c, d, k0, k1, k2, k3, p1, p2, p3, p4 = (int(float(value) * 4096 + 0.5) for value in CONSTANTS.split())
    even_2, even_3 = (s[2] + s[6]) * a + s[6] * b, (s[2] + s[6]) * a + s[2] * c
    even_0, even_1 = (s[0] + s[4]) * 4096, (s[0] - s[4]) * 4096
    five = (s[7] + s[3] + s[5] + s[1]) * d
    one, two = five + (s[7] + s[1]) * p1, five + (s[5] + s[3]) * p2
    three, four = (s[7] + s[3]) * p3, (s[5] + s[1]) * p4
    even = [even_0 + even_3, even_1 + even_2, even_1 - even_2, even_0 - even_3]
    odd = [s[1] * k3 + one + four, s[3] * k2 + two + three, s[5] * k1 + two + four, s[7] * k0 + one + three]
    return [e + o for e, o in zip(even, odd, strict=True)] + [e - o for e, o in zip(even, odd, strict=True)][::-1]


@pytest.mark.parametrize("largest", [1, 100, 2000, 4000, 32767])
def test_blocks_of_any_size_have_the_samples_of_exact_integers(largest: int) -> None:
    """Products beyond 16 and beyond 32 bits too, which damaged files have: nothing overflows."""
    random = np.random.default_rng(largest)
    blocks = random.integers(-largest, largest + 1, (60, 64), dtype=np.int16)
    blocks[random.random(blocks.shape) < 0.5] = 0
    blocks[:8, 1:] = 0  # level ones
    tables = random.integers(1, [17, 256, 65536][largest % 3], (1, 64), dtype=np.int32)
    out = np.empty(60 * 64, np.uint8)

    kernels.planes(blocks, tables, np.array([[0, 10, 6, 0]]), out)

    numbers = (blocks.astype(object) * tables.astype(object)).reshape(60, 8, 8).transpose(1, 2, 0)  # (row, column, block)
    middle = np.array([(row + 512) // 1024 for row in transformed(numbers)])
    rows = np.array([(x + 65536 + (128 << 17)) // 2**17 for x in transformed(middle.transpose(1, 0, 2))])  # (column, row, block)
    expected = np.clip(rows.transpose(2, 1, 0), 0, 255).astype(np.uint8).reshape(6, 10, 8, 8).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(out.reshape(48, 80), expected.reshape(48, 80))
