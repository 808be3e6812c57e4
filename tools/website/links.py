"""Links on the site: to pages that stand outside ``docs`` in the repository, to commands, and to public names."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from posixpath import normpath, relpath

from tools.website.api_pages import documented
from tools.website.command_pages import FOLDER as COMMANDS
from yolodsc.cli import COMMANDS as NAMES

SITE_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "weights/README.md": "networks.md",
}
"""Files of the repository outside ``docs``, and their pages."""

_FENCED = re.compile(r"(^```.*?^```[ ]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!\[)`(yolodsc[ .][^`]+)`(?!\])")


def with_links_of_the_site(markdown: str, path: str) -> str:
    """Markdown whose relative links lead to pages of the site; links to other files of the repository become text.

    Parameters
    ----------
    path
        Of the page, relative to ``docs``.
    """
    sources = {page: source for source, page in SITE_PAGES.items() if source != "README.md"}
    source = PurePosixPath(sources.get(path, f"docs/{path}"))

    def rewritten(found: re.Match[str]) -> str:
        label, link = found.groups()
        target, _, anchor = link.partition("#")
        if "://" in link or not target or link.startswith("mailto:"):
            return found[0]
        named = normpath(str(source.parent / target))
        if named not in SITE_PAGES and not named.startswith("docs/"):
            return label
        page = SITE_PAGES.get(named, named.removeprefix("docs/"))
        return f"[{label}]({relpath(page, str(PurePosixPath(path).parent))}{'#' * bool(anchor)}{anchor})"

    return _outside_code(markdown, lambda text: _LINK.sub(rewritten, text))


def with_references(markdown: str, path: str) -> str:
    """Markdown in which ```yolodsc detect`` and ```yolodsc.load`` link to the reference, except in headings and code."""
    if path.startswith("reference/"):
        return markdown

    def linked(found: re.Match[str]) -> str:
        target = _reference(found[1])
        return f"[{found[0]}]({relpath(target, str(PurePosixPath(path).parent))})" if target else found[0]

    def in_lines(text: str) -> str:
        lines = text.split("\n")
        return "\n".join(
            line if line.startswith("#") else _outside_links(line, lambda part: _CODE.sub(linked, part)) for line in lines
        )

    return _outside_code(markdown, in_lines)


def _reference(code: str) -> str | None:
    """The page of a command or name; None for anything else, such as a command with options."""
    if (command := code.removeprefix("yolodsc ")) in NAMES:
        return f"{COMMANDS}/{command}.md"
    return documented().get(code)


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts = _FENCED.split(markdown)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _outside_links(line: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(\[[^\]]*\]\([^)]*\))", line)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))
