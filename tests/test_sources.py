"""What SOURCE names, and that lists of any length cost neither memory nor time before their turn."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from tests.conftest import GOLDEN
from yolodsc import cli
from yolodsc.detection import sources
from yolodsc.detection.outputs.naming import OutputNames
from yolodsc.detection.source_lists import LONGEST_PATH
from yolodsc.detection.sources import Sources
from yolodsc.errors import OptionError
from yolodsc.images.image import read_image

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]
TINY = GOLDEN / "images/tiny.png"


class Counted(StringIO):
    """A stream that knows how many lines were taken from it."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> str:
        self.taken += 1
        return super().readline(-1 if size is None else size)


def test_standard_input_is_read_as_the_run_goes_on() -> None:
    """A path at a time: the list may have no end."""
    stream = Counted("a.png\n\nb.png\r\nc.png")

    paths = iter(Sources(["-"], standard_input=stream))

    assert (next(paths), stream.taken) == ("a.png", 1)
    assert (next(paths), stream.taken) == ("b.png", 3)
    assert list(paths) == ["c.png"]


def test_lists_are_read_again_by_each_iteration(tmp_path: Path) -> None:
    """Nothing of them is kept."""
    listed = tmp_path / "a.txt"
    listed.write_text("\ufeffa.png\nb.png\n", encoding="utf-8")
    paths = Sources([str(listed), str(TINY)])

    assert paths.count() == 3
    assert list(paths) == ["a.png", "b.png", str(TINY)]
    assert Sources(["-"], standard_input=[]).count() is None


@pytest.mark.parametrize("text", ["", "\n \n", "a\0b\n", "a" * LONGEST_PATH])
def test_what_is_no_list_is_an_error_when_its_turn_comes(text: str, tmp_path: Path) -> None:
    """Empty, binary, or a line beyond all paths."""
    (tmp_path / "a.txt").write_text(text)

    for paths in (Sources([str(tmp_path / "a.txt")]), Sources(["-"], standard_input=StringIO(text))):
        with pytest.raises(OptionError):
            list(paths)


@pytest.mark.slow
def test_a_million_paths_are_not_looked_at_where_nothing_would_be_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at the output's folder is enough; a file there costs one system call a folder of the list, not a path."""
    (tmp_path / "a.txt").write_text("".join(f"in/{i}.png\n" for i in range(1_000_000)))
    (tmp_path / "out").mkdir()
    looked: list[object] = []
    look = sources._identity
    monkeypatch.setattr(sources, "_identity", lambda path: [look(path), looked.append(path)][0])
    paths = Sources([str(tmp_path / "a.txt")])
    names = OutputNames(tmp_path / "out", reads=paths.may_read)

    names.path("in/0.png", suffix=".png")
    assert not looked

    (tmp_path / "out/1.png").touch()
    assert names.path("in/1.png", suffix=".png").name == "1.png"
    assert len(looked) < 10


def made(tmp_path: Path) -> tuple[Path, bytes]:
    """An image in a folder."""
    image = tmp_path / "a.png"
    image.write_bytes(TINY.read_bytes())
    return image, image.read_bytes()


@pytest.mark.parametrize("form", ["plain", "relative", "link", "linked folder", "dotted"])
@pytest.mark.parametrize("listed", [True, False])
def test_an_image_named_later_is_not_overwritten_by_an_earlier_one(
    form: str, listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever name: the outputs of an image of the same name get another one."""
    folder = tmp_path / "later"
    folder.mkdir()
    (tmp_path / "linked").symlink_to(folder)
    image, before = made(folder)
    first, _ = made(tmp_path)
    (tmp_path / "b.png").symlink_to(image)
    monkeypatch.chdir(tmp_path)
    name = {
        "plain": str(image),
        "relative": "later/a.png",
        "link": "b.png",
        "linked folder": "linked/a.png",
        "dotted": "./later/../later/a.png",
    }[form]
    (tmp_path / "list.txt").write_text(f"{first}\n{name}\n")
    given = ["list.txt"] if listed else [str(first), name]

    assert cli.run(["detect", *given, *NETWORK, "--save", "later", "--quiet"]) == 0

    assert image.read_bytes() == before
    assert (folder / "a_2.png").is_file()


def test_standard_input_keeps_all_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may yet name them."""
    folder = tmp_path / "later"
    folder.mkdir()
    image, before = made(folder)
    first, _ = made(tmp_path)
    monkeypatch.setattr("sys.stdin", StringIO(f"{first}\n{image}\n"))

    assert cli.run(["detect", "-", *NETWORK, "--save", str(folder), "--quiet"]) == 0

    assert image.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "a_2.png", "a_3.png"]


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_standard_input_that_names_an_output_ends_the_run_without_it(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image is as it was, and no half of a file lies beside it."""
    image, before = made(tmp_path)
    monkeypatch.setattr("sys.stdin", StringIO(f"{TINY}\n{image}\n"))

    assert cli.run(["detect", "-", *NETWORK, option, str(image), "--quiet"]) == 2

    assert "is read in this run" in capsys.readouterr().err
    assert image.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_list_that_names_an_output_is_refused_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However late it comes in the list."""
    image, before = made(tmp_path)
    (tmp_path / "list.txt").write_text(f"{TINY}\n" * 100 + f"{image}\n")

    assert cli.run(["detect", str(tmp_path / "list.txt"), *NETWORK, "--json", str(image)]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "is read in this run" in captured.err
    assert image.read_bytes() == before


def test_equal_names_are_numbered_without_counting_from_the_start() -> None:
    """Ten thousand images of one name take ten thousand steps."""
    asked: list[Path] = []
    names = OutputNames(".", reads=lambda path: bool(asked.append(path)))

    found = [names.path(f"{i}/a.png", suffix=".png").name for i in range(10_000)]

    assert found[:3] == ["a.png", "a_2.png", "a_3.png"]
    assert len(set(found)) == 10_000
    assert len(asked) == 10_000
    assert names.path("a_2.jpg", suffix=".png").name == "a_2_2.png"


def test_results_come_before_the_list_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first image's line is printed while later paths are not known yet."""
    printed: list[str] = []

    def lines() -> Iterator[str]:
        for number in range(20):
            printed.append(capsys.readouterr().out)
            yield f"{TINY}\n"
            assert number < 15 or "objects" in "".join(printed)

    from yolodsc.detection.detector import Detector

    detector = Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights")
    for found in detector.many(Sources(["-"], standard_input=lines())):
        print(f"{len(found.detections or ())} objects")
    detector.close()
    assert read_image(TINY).shape
