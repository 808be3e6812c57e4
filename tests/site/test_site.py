"""The site is built without a warning, its links lead somewhere, it needs no other host, and its reference is complete."""

import re
import subprocess
import sys
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

import yolodsc
from tools.website import checks
from tools.website.api_pages import documented, value_of
from tools.website.command_pages import GUIDES, STATUSES, command_pages
from tools.website.line_breaks import with_line_breaks
from tools.website.links import SITE_PAGES, with_links_of_the_site, with_references
from yolodsc import cli, cv2dnn, errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


class Loader(yaml.SafeLoader):
    """Reads ``mkdocs.yml`` without what only MkDocs can construct."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("mkdocs", reason="needs MkDocs (extra docs)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_built_strictly_and_its_links_lead_somewhere(site: Path) -> None:
    """Every link, anchor, image, style and script of every page exists; nothing is loaded from another host."""
    assert len(list(site.rglob("*.html"))) > 50
    assert list(checks.faults(site)) == []


@pytest.mark.slow
def test_the_search_works_from_disk(site: Path) -> None:
    """The index is a script that holds all pages."""
    index = (site / "search/search_index.js").read_text(encoding="utf-8")

    assert index.startswith("var __index = {")
    assert all(
        page in index for page in ("coming-from/opencv.html", "reference/commands/detect.html", "reference/api/detection.html")
    )


def test_faults_of_a_site_are_seen(tmp_path: Path) -> None:
    """A link to nothing, to a missing heading and to a directory; scripts, fonts and styles of other hosts."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.html").write_text(
        '<h2 id="here">x</h2><a href="#here">1</a><a href="#gone">2</a><a href="b.html">3</a><a href="folder">4</a>'
        '<a href="https://example.org/">5</a><script src="https://example.org/x.js"></script>'
        '<link rel="stylesheet" href="https://example.org/x.css"><img src="no.png">'
    )
    (tmp_path / "x.css").write_text("@font-face {src: url(https://example.org/f.woff)} a {background: url(data:x)}")

    found = list(checks.faults(tmp_path))

    assert [fault.partition(": ")[2] for fault in found] == [
        "#gone: no such heading",
        "b.html does not exist",
        "folder is a directory, which does not open from disk",
        "loads https://example.org/x.js from another host",
        "loads https://example.org/x.css from another host",
        "no.png does not exist",
        "loads https://example.org/f.woff from another host",
    ]
    assert list(checks.faults(tmp_path / "folder")) != []


def test_every_page_is_in_the_navigation() -> None:
    """And every entry of the navigation is a page or stands for generated ones."""
    entries = list(_entries(yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    elsewhere = set(SITE_PAGES.values()) - {"index.md"}

    assert sorted(entries) == sorted(pages | elsewhere | {"COMMANDS", "API"})


def test_every_command_and_option_is_in_the_reference() -> None:
    """One page for each command, with all its options and their defaults, and a guide that exists."""
    pages = {page.path: page.text for page in command_pages()}
    group: Any = typer.main.get_command(cli.app)

    assert set(GUIDES) == set(cli.COMMANDS)
    for name in cli.COMMANDS:
        text = pages[f"reference/commands/{name}.md"]
        command = group.get_command(None, name)
        for parameter in command.params:
            assert all(spelling in text for spelling in parameter.opts if spelling.startswith("--"))
        assert " ".join(command.help.split()) in text
        assert (DOCS / GUIDES[name].partition("#")[0]).exists()
    assert "(default: 0.25)" in pages["reference/commands/decompose.md"]


def test_the_exit_statuses_are_those_of_the_program() -> None:
    """The docstring of the command line names the same numbers."""
    named = {"0", "1", "2", "70", "130", "143", "141"}
    text = " ".join(" ".join(row) for row in STATUSES)

    assert all(number in (cli.__doc__ or "") and number in text for number in named)


def test_every_public_name_is_in_the_reference() -> None:
    """Names of `yolodsc`, `yolodsc.cv2dnn` and `yolodsc.errors`; constants of OpenCV and modules are described by their page."""
    listed = {value_of(name) for name in documented()}
    public = [getattr(module, name) for module in (yolodsc, cv2dnn) for name in module.__all__]
    public += [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    missing = [value for value in public if callable(value) and value not in listed]

    assert len(public) > 50
    assert missing == []
    assert all(isinstance(value, int | ModuleType) or callable(value) for value in public)


@pytest.mark.parametrize("name", documented())
def test_names_of_the_reference_are_documented(name: str) -> None:
    """Each exists and has a docstring, and so has each of its public methods."""
    value = value_of(name)
    methods = [member for key, member in vars(value).items() if not key.startswith("_")] if isinstance(value, type) else []
    described = [member for member in methods if callable(member) or isinstance(member, property | classmethod | staticmethod)]

    assert getdoc(value), name
    assert all(getdoc(member) for member in described), [member for member in described if not getdoc(member)]


def test_names_that_pages_mention_are_in_the_reference() -> None:
    """A function or class that a page calls ``yolodsc.x.y``, or the class of its method."""
    texts = [page.read_text("utf-8") for page in (*DOCS.rglob("*.md"), ROOT / "README.md")]
    named = {name for text in texts for name in re.findall(r"`(yolodsc(?:\.\w+)+)\b", _FENCED.sub("", text))}
    functions = {name for name in named if callable(value_of(name))}
    listed = {value_of(name) for name in documented()}

    assert {"yolodsc.load", "yolodsc.engine.compile", "yolodsc.Network.load"} <= functions
    assert [name for name in functions if not {value_of(name), value_of(name.rpartition(".")[0])} & listed] == []


def test_links_of_the_repository_become_links_of_the_site() -> None:
    """Files beside ``docs`` have pages, other files become text, blocks of code stay."""
    text = "[a](../SECURITY.md#the-cache) [b](detect.md) [c](../tools/check)\n```\n[d](../SECURITY.md)\n```\n"

    assert (
        with_links_of_the_site(text, "engine.md") == "[a](security.md#the-cache) [b](detect.md) c\n```\n[d](../SECURITY.md)\n```\n"
    )
    assert with_links_of_the_site("[a](docs/engine.md)", "contributing.md") == "[a](engine.md)"
    assert with_links_of_the_site("[a](../docs/finetune.md)", "networks.md") == "[a](finetune.md)"
    assert with_links_of_the_site("[a](../detect.md)", "tutorials/detect.md") == "[a](../detect.md)"


def test_commands_and_names_link_to_their_reference() -> None:
    """Outside of headings, links and code; commands with options are left alone."""
    text = "# `yolodsc detect`\n`yolodsc detect` `yolodsc detect -h` [`yolodsc.load`](x.md) `yolodsc.load`\n"

    assert with_references(text, "tutorials/a.md") == (
        "# `yolodsc detect`\n[`yolodsc detect`](../reference/commands/detect.md) `yolodsc detect -h` "
        "[`yolodsc.load`](x.md) [`yolodsc.load`](../reference/api/detection.md#yolodsc.load)\n"
    )


def test_options_in_inline_code_stay_whole() -> None:
    """Lines break between words, and inside of long paths and names only; blocks of code are left alone."""
    html = "<p><code>yolodsc detect --no-score</code> <code>yolodsc.detection.ImageResult</code></p><pre><code>--a-b</code></pre>"

    assert with_line_breaks(html) == (
        '<p><code>yolodsc detect <span class="whole">--no-score</span></code> '
        "<code>yolodsc.<wbr>detection.<wbr>ImageResult</code></p><pre><code>--a-b</code></pre>"
    )


def _entries(nav: Any) -> Any:
    """The paths of a navigation."""
    if isinstance(nav, str):
        yield nav
    for child in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from _entries(child)
