"""The working directory of a reader of the documentation."""

import shutil
from pathlib import Path

import pytest

from tests.site.sandbox import fill


@pytest.fixture(scope="session")
def reader_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory with all files, which no test changes."""
    pytest.importorskip("skimage", reason="needs scikit-image's photographs (extra demo)")
    folder = tmp_path_factory.mktemp("reader")
    fill(folder)
    return folder


@pytest.fixture
def reader(reader_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them as the working directory."""
    shutil.copytree(reader_files, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path / "work"
