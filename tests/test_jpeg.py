"""JPEG decoding beside stb_image's: its results of seventeen files are in ``golden/jpeg.npz``."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import GOLDEN
from yolodsc import jpeg

with np.load(GOLDEN / "jpeg.npz") as _archive:
    STORED = dict(_archive)
FILES = {name: array.tobytes() for name, array in STORED.items() if "." not in name}


@pytest.mark.parametrize("name", FILES)
def test_every_byte_is_stb_images(name: str) -> None:
    """Sequential and progressive, all samplings, restarts, one and three components."""
    picture = jpeg.decode(FILES[name])

    np.testing.assert_array_equal(picture, STORED[f"{name}.rgb"])


@pytest.mark.parametrize("name", sorted(set(FILES) - {"rgb"}))
def test_grey_is_the_luma_that_stb_image_takes(name: str) -> None:
    """For networks of one channel; files without luma are left to another decoder."""
    grey = jpeg.decode(FILES[name], channels=1)

    np.testing.assert_array_equal(grey, STORED[f"{name}.grey"])
    assert jpeg.decode(FILES["rgb"], channels=1) is None


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_cut_off_are_left_to_another_decoder(name: str) -> None:
    """Wherever that is, between two scans too; it reports them as it always did."""
    content = FILES[name]

    assert all(jpeg.decode(content[:length]) is None for length in range(len(content)))


@given(
    name=st.sampled_from(sorted(FILES)), changes=st.dictionaries(st.floats(0, 1, exclude_max=True), st.integers(0, 255), min_size=1)
)
def test_damaged_files_give_a_picture_or_none(name: str, changes: dict[float, int]) -> None:
    """Never an error."""
    content = bytearray(FILES[name])
    for place, value in changes.items():
        content[int(place * len(content))] = value

    picture = jpeg.decode(bytes(content))

    assert picture is None or (picture.dtype == np.uint8 and picture.shape[2] == 3)


@pytest.mark.parametrize("mode", ["CMYK", "PNG"])
def test_other_files_are_left_to_another_decoder(mode: str) -> None:
    """Four components; no JPEG at all."""
    file = io.BytesIO()
    Image.new("CMYK" if mode == "CMYK" else "RGB", (8, 8)).save(file, "JPEG" if mode == "CMYK" else "PNG")

    assert jpeg.decode(file.getvalue()) is None


def test_a_file_that_cannot_be_read_is_left_to_another_decoder(tmp_path: Path) -> None:
    """So that there is one place that complains."""
    assert jpeg.read(tmp_path / "none.jpg") is None
