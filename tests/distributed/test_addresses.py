"""Images behind addresses of fsspec and in archives."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import NETWORK, STEM
from tests.distributed.support import write_images
from yolodsc.cli import run
from yolodsc.detection import Detector, is_address
from yolodsc.detection.sources import Sources
from yolodsc.errors import OptionError

pytest.importorskip("fsspec")


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[list[str]]:
    """Three images and a text in a store in memory."""
    import fsspec

    system = fsspec.filesystem("memory")
    paths = write_images(tmp_path, 3)
    for path in paths:
        system.pipe_file(f"/photos/{Path(path).name}", Path(path).read_bytes())
    system.pipe_file("/photos/notes.txt", b"x")
    yield paths
    system.rm("/photos", recursive=True)


@pytest.fixture
def detector() -> Detector:
    """The small network."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05, streams=1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s3://b/x.jpg", True),
        ("zip://x.jpg::a.zip", True),
        ("https://h/x", True),
        ("a/b.jpg", False),
        ("C:/x", False),
        ("x://", False),
    ],
)
def test_addresses_have_a_scheme(source: str, expected: bool) -> None:
    """A path has none."""
    assert is_address(source) is expected


def test_patterns_and_directories_of_a_store_name_its_images(stored: list[str]) -> None:
    """In order, without other files; one image stands for itself."""
    names = [f"memory:///photos/{Path(path).name}" for path in stored]

    assert list(Sources(["memory://photos/*.png"])) == names
    assert list(Sources(["memory://photos"])) == names
    assert list(Sources(["memory://photos/image001.png"])) == ["memory://photos/image001.png"]
    with pytest.raises(OptionError, match=r"memory://photos/\*.jpg: no file matches"):
        Sources(["memory://photos/*.jpg"])


def test_images_of_a_store_have_the_boxes_of_their_files(stored: list[str], detector: Detector) -> None:
    """The same bits; what does not exist gives its error."""
    addresses = [*Sources(["memory://photos"]), "memory://photos/none.png", "nosuchstore://x.png"]

    found = list(detector.many(addresses))

    for result, other in zip(found, detector.many(stored), strict=False):
        assert result.detections is not None
        assert other.detections is not None
        assert result.detections.boxes_xyxy.tobytes() == other.detections.boxes_xyxy.tobytes()
    assert str(found[3].error) == "memory://photos/none.png: no such file"
    assert str(found[4].error).startswith("nosuchstore://x.png: cannot be read: Protocol not known")
    assert [result.path for result in found] == addresses


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_stands_for_its_images(kind: str, tmp_path: Path) -> None:
    """All of them, in subdirectories too, with the results of the files."""
    paths = write_images(tmp_path / "photos", 4)
    archive = tmp_path / f"photos.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in paths:
                file.write(path, f"sub/{Path(path).name}")
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as packed:
            for path in paths:
                packed.add(path, f"sub/{Path(path).name}")
    common = [*NETWORK, "--thresh", "0.1", "--quiet"]

    assert run(["detect", *paths, *common, "--csv", str(tmp_path / "files.csv")]) == 0
    assert run(["detect", str(archive), *common, "--csv", str(tmp_path / "archive.csv")]) == 0

    protocol = kind[:3]
    expected = (tmp_path / "files.csv").read_text().replace(f"{tmp_path}/photos/", f"{protocol}://sub/")
    assert (tmp_path / "archive.csv").read_text() == expected.replace(".png,", f".png::{archive},")
    assert expected.count("\n") > 4


def test_a_damaged_archive_gives_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names it."""
    (tmp_path / "x.zip").write_bytes(b"PK no archive")

    assert run(["detect", str(tmp_path / "x.zip"), *NETWORK]) == 2

    said = capsys.readouterr().err
    assert f"zip://::{tmp_path}/x.zip: cannot be listed: " in said
    assert said.count("\n") == 1


def test_without_the_library_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For addresses that need it."""
    import sys

    monkeypatch.setitem(sys.modules, "fsspec", None)

    assert run(["detect", "s3://bucket/*.jpg", *NETWORK]) == 2

    said = capsys.readouterr().err
    assert "(extra remote)" in said
    assert said.count("\n") == 1
