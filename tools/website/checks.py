"""Checks of the built site: every link and anchor leads somewhere, and nothing is loaded from another host.

Run as ``python -m tools.website.checks FOLDER``.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("object", "data")}
"""Attributes whose address a browser loads by itself; of ``link`` those of the relations below."""

LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}

_STYLE_ADDRESS = re.compile(r"url\(\s*['\"]?(?!data:)([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Addresses(HTMLParser):
    """The ids of a page, the addresses that it links, and those that it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses of one element."""
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and LOADED_RELATIONS & set(values.get("rel", "").split()):
            self.loaded.append(values["href"])
        self.loaded += [values[name] for name in values if (tag, name) in LOADED]


@cache
def addresses_of(page: Path) -> Addresses:
    """What one page of HTML has."""
    found = Addresses()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def faults(site: Path) -> Iterator[str]:
    """One line for each link that leads nowhere and each address of another host that is loaded."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        yield f"{site}: no pages"
    for page in pages:
        found = addresses_of(page)
        name = page.relative_to(site)
        yield from (f"{name}: {fault}" for link in found.links if (fault := _fault(page, link, site)))
        for address in found.loaded:
            fault = f"loads {address} from another host" if _external(address) else _fault(page, address, site)
            if fault:
                yield f"{name}: {fault}"
    for sheet in sorted(site.rglob("*.css")):
        for match in _STYLE_ADDRESS.finditer(sheet.read_text(encoding="utf-8")):
            address = match[1] or match[2]
            if _external(address):
                yield f"{sheet.relative_to(site)}: loads {address} from another host"


def _external(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def _fault(page: Path, link: str, site: Path) -> str | None:
    """Why a link leads nowhere; None for good links and for those to other hosts, which are not followed."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https", "mailto", "data") or parts.netloc:
        return None
    base = site if parts.path.startswith("/") else page.parent
    target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    if target.is_dir():
        return f"{link} is a directory, which does not open from disk"
    if not target.is_file():
        return f"{link} does not exist"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in addresses_of(target).ids:
        return f"{link}: no such heading"
    return None


def main(folder: str) -> int:
    """Print the faults; the exit status."""
    found = list(faults(Path(folder).resolve()))
    print(*found, sep="\n", end="\n" * bool(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
