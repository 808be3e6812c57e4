"""The examples of the documentation run: with small stand-ins for the reader's files, in the order of their page."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.site.examples import ROOT, alike, blocks, commands, differences, parse, python_codes, run_command, run_python, words_of
from yolodsc.errors import YolodscError

DOCS = ROOT / "docs"

PAGES = sorted(
    [
        *DOCS.glob("tutorials/*.md"),
        *DOCS.glob("coming-from/*.md"),
        ROOT / "README.md",
        *(
            DOCS / f"{name}.md"
            for name in ("index", "getting-started", "opencv", "video", "formats", "faq", "troubleshooting", "platforms")
        ),
    ]
)
"""Pages whose blocks of code run, unless a comment before a block says why not."""

ALL = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])

NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

_KINDS = {"console", "python", "pycon", "", "ini", "json", "yaml"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_examples_of_a_page_run(page: Path, reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands succeed and print what the page shows, scripts end, and expressions have the values of the page."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.reason is not None:
            continue
        if block.language in ("python", "pycon"):
            run_python(block, names, page.name)
        for command in commands(block) if block.language == "console" else ():
            capsys.readouterr()
            run_command(command.line, fails=block.fails)
            streams = capsys.readouterr()
            missing = differences(command.output, streams.out + streams.err)
            assert missing == [], f"{page.name}: {command.line}\n{streams.out}{streams.err}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_have_a_language_that_the_tests_know(page: Path) -> None:
    """A misspelled language would hide a block; commands that stand in blocks without a language parse all the same."""
    for block in blocks(page):
        assert block.language in _KINDS, f"{page.name}:{block.line}"
        if block.language == "python":
            compile(block.text, page.name, "exec")
        lines = [command.line for command in commands(block)] if block.language == "console" else block.text.splitlines()
        for line in lines:
            if line.startswith("yolodsc "):
                parse(line)


@pytest.mark.parametrize("page", sorted(DOCS.glob("coming-from/*.md")), ids=lambda page: page.stem)
def test_the_commands_and_options_of_the_tables_parse(page: Path) -> None:
    """Of the last column; an option that stands alone belongs to the command before it."""
    count = 0
    for cell in _last_cells(page):
        before = ""
        for code in re.findall(r"`([^`]+)`", cell):
            if code.startswith("yolodsc "):
                before, line = code, code
            elif code.startswith("-"):
                assert before, f"{page.name}: {code} without a command"
                kept = words_of(before)
                line = " ".join([*kept, code])
            else:
                continue
            parse(line)
            count += 1
    assert count > 1


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(DOCS.glob("coming-from/*.md")), ids=lambda page: page.stem)
def test_the_calls_of_the_tables_run(page: Path, reader: Path) -> None:
    """Every piece of Python in the last column, with a detector, an image and its detections."""
    import cv2

    import yolodsc

    image = cv2.imread("photo.jpg")[..., ::-1].copy()
    names: dict[str, Any] = {"yolodsc": yolodsc, "cv2": cv2, "image": image, "frame": image[..., ::-1].copy()}
    count = 0
    for cell in _last_cells(page):
        names["detector"] = yolodsc.load()
        names["detections"] = names["detector"](image)
        for code in python_codes(cell):
            exec(compile(code, page.name, "exec"), names)
            count += 1
    assert count > 5


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_reasons_stand_before_blocks(page: Path) -> None:
    """A comment that says why something is not run stands directly before a block of code, and gives a reason."""
    text = page.read_text(encoding="utf-8")

    assert len(re.findall(r"^<!-- not run:", text, re.MULTILINE)) == sum(block.reason is not None for block in blocks(page))
    assert len(re.findall(r"^<!-- fails", text, re.MULTILINE)) == sum(block.fails for block in blocks(page))
    assert all(len(block.reason) > 10 for block in blocks(page) if block.reason is not None)


def test_mistakes_in_examples_are_seen(reader: Path) -> None:
    """Wrong options, wrong values and wrong output fail."""
    with pytest.raises(YolodscError):
        parse("yolodsc detect photo.jpg --no-such-option")
    with pytest.raises(Exception, match="expected a number"):
        parse("yolodsc detect photo.jpg --thresh high")
    with pytest.raises(AssertionError):
        run_command("yolodsc detect missing.jpg")
    assert differences(("  cat    0.999     0",), "photo.jpg: 1 object\n  cat 0.998 1\n") == []
    assert differences(("  dog    0.999     0",), "photo.jpg: 1 object\n  cat 0.998 1\n") != []
    assert differences(("  cat    0.7     0",), "photo.jpg: 1 object\n  cat 0.998 1\n") != []
    assert alike("photo.jpg: 451x300, 1 object, 10 ms", "photo.jpg: 451x300, 1 object, 283 ms")
    assert alike("voc07: mean AP 56.9 …", "voc07: mean AP 57.0 % of 3 classes")
    assert not alike("voc07: mean AP 56.9 …", "voc07: mean AP 27.0 % of 3 classes")
    assert words_of("yolodsc detect a.jpg --json - | jq .  # one") == ["yolodsc", "detect", "a.jpg", "--json", "-"]


def _last_cells(page: Path) -> list[str]:
    """The last cells of the rows of the tables whose last column is headed ``yolodsc``."""
    cells: list[str] = []
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        inside = bool(row) and (inside or row[-1] == "yolodsc")
        if inside and row[-1] != "yolodsc" and not set(row[-1]) <= set("- "):
            cells.append(row[-1])
    return cells
