"""The documentation agrees with the code, with the figures that were measured, and with itself."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tools.precision_pages import OURS, replaced, tables
from yolodsc.cli import run
from yolodsc.cli.aliases import SPELLINGS
from yolodsc.network import Network

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("weights/*.md"), *ROOT.glob("cfg/*.md")])
FIGURES: dict[str, Any] = json.loads((ROOT / "docs/figures.json").read_text(encoding="utf-8"))
WRITTEN = {"report.md"}
"""Files that commands write and that pages name."""

_FILE = re.compile(r"(?<![\w/.~$-])(?:(?:yolodsc|tests|tools|docs|cfg|weights|\.ci|\.github)/[\w./-]+|[\w-]+\.(?:md|toml))")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|\s|`)yolodsc ([a-z]+)\b")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def text(page: Path) -> str:
    """The content of a page."""
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The content of a page as one line, so that line breaks do not matter."""
    return re.sub(r"\s+", " ", text(page))


def rows(page: Path) -> list[list[str]]:
    """The cells of all lines of tables."""
    lines = (line for line in text(page).splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def anchors(page: Path) -> set[str]:
    """The anchors that a renderer gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def calls(page: Path) -> Iterator[tuple[str, str]]:
    """Subcommands and the text with their options: from code blocks, continued lines included, and from inline code."""
    for _, block in _BLOCK.findall(text(page)):
        command = ""
        for line in block.splitlines():
            if found := _COMMAND.search(line):
                command = found[1]
            elif not line.startswith((" ", "(", "…")):
                command = ""
            if command:
                yield command, line
    without_blocks = _BLOCK.sub("", text(page))
    for code in re.findall(r"`([^`]+)`", without_blocks):
        if found := re.match(r"yolodsc ([a-z]+)\b", code):
            yield found[1], code


@pytest.fixture
def help_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns what ``--help`` prints for a subcommand, or None where there is no such subcommand."""
    monkeypatch.setenv("COLUMNS", "200")
    known: dict[str, str | None] = {}

    def of(command: str) -> str | None:
        if command not in known:
            status = run([command, "--help"])
            known[command] = capsys.readouterr().out if status == 0 else None
        return known[command]

    return of


def test_pages_are_found() -> None:
    """The other tests read the pages that users read."""
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "engine.md", "extending.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Every relative link names a file, and its anchor a heading of that file."""
    for link in _LINK.findall(text(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths from the root of the repository; NAME stands for a name of the reader's choice."""
    own = "\n".join(line for line in text(page).splitlines() if "github.com/" not in line)  # other lines name files elsewhere
    named = {match.rstrip(".") for match in _FILE.findall(own)}
    named -= WRITTEN
    missing = [path for path in named if "NAME" not in path and not any((base / path).exists() for base in (ROOT, page.parent))]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_modules_that_are_named_alone_exist(page: Path) -> None:
    """A file name such as ``gram.py`` is the name of some module."""
    modules = {path.name for folder in ("yolodsc", "tests", "tools") for path in (ROOT / folder).rglob("*.py*")}
    named = set(re.findall(r"`(\w+\.pyi?)`", text(page))) - {"NAME.py", "voc_eval.py", "darknet.py"}

    assert named <= modules


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_options_exist(page: Path, help_text: Any) -> None:
    """``yolodsc X --help`` lists every option that a page uses with X; spellings of other programs are hidden."""
    for command, line in calls(page):
        printed = help_text(command)
        assert printed is not None, f"{page.name}: no subcommand {command}"
        known = {*_OPTION.findall(printed), *SPELLINGS}
        assert set(_OPTION.findall(line)) <= known, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_of_python_compile(page: Path) -> None:
    """Every block that is marked as Python."""
    for language, block in _BLOCK.findall(text(page)):
        if language == "python":
            compile(block, str(page), "exec")


def test_the_check_of_commands_sees_them(help_text: Any) -> None:
    """A wrong option in a continued line, in inline code or in a block does not pass unseen."""
    found = list(calls(ROOT / "weights/README.md"))

    assert {"decompose", "finetune", "detect"} <= {command for command, _ in found}
    assert any(command == "finetune" and "--sharpen" in line for command, line in found)
    assert help_text("no-such-command") is None


def test_the_gain_of_tiles_is_the_measured_one() -> None:
    """AP by two rules and images a second, with and without tiles."""
    found: dict[str, dict[str, list[float]]] = {}
    name = ""
    for row in rows(ROOT / "docs/detect.md"):
        if len(row) == 5 and re.fullmatch(r"[\d.]+", row[4]):
            name = row[0] or name
            found.setdefault(name, {})[row[1]] = [float(cell) for cell in row[2:]]

    assert found == FIGURES["tiles"]


@pytest.mark.parametrize("figure", FIGURES["quoted"], ids=lambda figure: figure["name"])
def test_quoted_figures_agree(figure: dict[str, str]) -> None:
    """Pages that quote a figure of ``docs/figures.json`` quote it as it stands there, and at least one page quotes it."""
    quoted = [(page.name, found) for page in PAGES for found in re.findall(figure["pattern"], prose(page))]

    assert quoted
    assert [entry for entry in quoted if entry[1] != figure["value"]] == []


@pytest.mark.parametrize("name", FIGURES["networks"])
def test_bundled_networks_are_as_large_as_the_tables_say(name: str) -> None:
    """Multiply-adds and file size are those of the files, and every table has the same."""
    figures = FIGURES["networks"][name]
    weights = ROOT / f"weights/{name}.weights"
    network = Network.load(ROOT / f"cfg/{name}.cfg", weights)
    expected = [f"{figures['mmac']:.1f}", str(figures["kb"]), f"{figures['map_voc10']:.1f}"]

    assert round(sum(layer.multiply_adds() for layer in network.layers) / 1e6, 1) == figures["mmac"]
    assert round(weights.stat().st_size / 1000) == figures["kb"]
    for page in ("README.md", "weights/README.md"):
        (row,) = (row for row in rows(ROOT / page) if row[0].startswith(f"`{name}`") and len(row) == 5 and "x" in row[1])
        assert row[2:] == expected
    (row,) = (row for row in rows(ROOT / "docs/finetune.md") if f"`{name}`" in row[0] and len(row) == 9)
    assert row[2:4] == expected[:2]
    assert float(row[7]) == pytest.approx(figures["map_voc10"], abs=0.051)


def test_all_bundled_networks_are_listed() -> None:
    """No file of ``cfg/`` is left out of the figures."""
    assert {path.stem for path in (ROOT / "cfg").glob("*.cfg")} == set(FIGURES["networks"])


def test_the_table_of_speed_has_the_figures() -> None:
    """Medians, minima and ratios of one thread in ``docs/performance.md``."""
    table = {row[0]: row for row in rows(ROOT / "docs/performance.md") if len(row) == 7 and row[1] == "1"}

    assert set(table) == set(FIGURES["speed_ms"])
    for name, engines in FIGURES["speed_ms"].items():
        ours, *others = table[name][2:]
        assert ours == f"{engines['yolodsc']['median']:.2f} ({engines['yolodsc']['min']:.2f})"
        for engine, cell in zip(("opencv", "onnxruntime", "openvino", "ncnn"), others, strict=True):
            median, minimum, ratio = (float(number) for number in re.findall(r"[\d.]+", cell)[:3])
            assert (median, minimum) == (engines[engine]["median"], engines[engine]["min"])
            assert ratio == pytest.approx(median / engines["yolodsc"]["median"], abs=0.012)


@pytest.mark.parametrize(("page", "lines"), tables(FIGURES["precision"]).items(), ids=lambda value: getattr(value, "name", ""))
def test_tables_of_precisions_are_those_of_the_figures(page: Path, lines: list[str]) -> None:
    """Every line stands in its page as ``tools/figures.py`` writes it, and every network has our three precisions."""
    assert text(page).count("\n" + "\n".join(lines) + "\n\n") == 1
    assert FIGURES["precision"]["networks"]
    assert all(set(OURS.values()) <= set(engines) for engines in FIGURES["precision"]["networks"].values())
    assert replaced(text(page), lines) == text(page)


def test_the_page_on_speed_has_openvinos_default() -> None:
    """Every network that was measured at OpenVINO's default precision is in the table with all its times."""
    table = {row[0]: row[1:] for row in rows(ROOT / "docs/performance.md") if re.fullmatch(r"[01]\.\d{3}", row[-1])}

    assert set(table) == set(FIGURES["openvino_default_ms"])
    for name, times in FIGURES["openvino_default_ms"].items():
        ours, same, default, factor, f1 = map(float, table[name])
        assert (ours, same, default) == (times["yolodsc"], times["openvino_float32"], times["openvino_default"])
        assert factor == round(times["openvino_default"] / times["yolodsc"], 2)
        assert f1 == times["f1"]


def test_the_drawing_has_every_package_and_only_arrows_down() -> None:
    """``docs/architecture.svg`` follows the packages of the tree."""
    drawing = text(ROOT / "docs/architecture.svg")
    named = set(re.findall(r">([a-z0-9, ]+)</text>", drawing))
    packages = {path.parent.name for path in (ROOT / "yolodsc").glob("*/__init__.py")}

    assert packages <= named
    arrows = re.findall(r'y1="(\d+)".* y2="(\d+)"', drawing)
    assert arrows
    assert all(int(start) < int(end) for start, end in arrows)


def test_the_changelog_has_each_kind_of_change_once() -> None:
    """A section of every kind at most once a release, so that a line has one home."""
    releases = re.split(r"^## ", text(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)[1:]
    for release in releases:
        kinds = sorted(re.findall(r"^### (\w+)$", release, re.MULTILINE))
        assert kinds
        assert all(a != b for a, b in pairwise(kinds))
