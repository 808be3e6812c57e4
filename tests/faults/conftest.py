"""Files that all tests of faults share."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import commands


@dataclass(frozen=True, slots=True)
class Material:
    """A VOC tree of 240 images, scenes to learn from, the options of a tiny network, a Python path without Matplotlib."""

    tree: Path
    scenes: Path
    network: list[str]
    folder: Path
    without_curves: str


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Return the files; no test changes them."""
    folder = tmp_path_factory.mktemp("faults")
    network = commands.networks(folder / "net")
    (folder / "stub").mkdir()
    (folder / "stub/matplotlib.py").write_text("raise ImportError\n")
    without = f"{folder / 'stub'}:{commands.ROOT}"
    return Material(commands.tree(folder / "voc", 240), commands.scenes(folder / "scenes"), network, folder, without)
