"""Fixtures of the command line's tests."""

from pathlib import Path

import numpy as np
import pytest

from yolodsc.images.image import write_image


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one image and two loops of links."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (76, 100, 3), np.uint8))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of three images of noise."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "c.png"):
        write_image(folder / name, rng.integers(0, 256, (76, 100, 3), dtype=np.uint8))
    return folder
