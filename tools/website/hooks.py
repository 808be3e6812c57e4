"""What MkDocs calls while it builds the site: generated pages, links, and the search index for pages that are opened from disk."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from tools.website.api_pages import api_pages
from tools.website.command_pages import command_pages
from tools.website.line_breaks import with_line_breaks
from tools.website.links import SITE_PAGES, with_links_of_the_site, with_references

ROOT = Path(__file__).parents[2]

RANKED_LAST = "---\nsearch:\n  boost: 0.1\n---\n"
"""Front matter of a page that the search lists below others: the changelog mentions everything."""

PLACEHOLDERS = {"COMMANDS": command_pages, "API": api_pages}
"""Entries of the navigation in ``mkdocs.yml`` that stand for generated pages."""


def on_config(config: Any) -> Any:
    """Put the generated pages into the navigation, in place of their placeholders."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are generated and those that stand outside ``docs``."""
    for generate in PLACEHOLDERS.values():
        for page in generate():
            files.append(File.generated(config, page.path, content=page.text))
    for source, path in SITE_PAGES.items():
        if not source.startswith("docs/") and source != "README.md":
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, path, content=RANKED_LAST * (path == "changelog.md") + text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links to files of the repository, and link commands and public names to their reference."""
    path = page.file.src_uri
    return with_references(with_links_of_the_site(markdown, path), path)


def on_page_content(html: str, **_: Any) -> str:
    """Keep options whole where a line of inline code breaks."""
    return with_line_breaks(html)


def on_post_build(config: Any) -> None:
    """Write the search index as a script too: pages that are opened from disk may not read a JSON file."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")


def _expanded(entry: Any) -> Any:
    """An entry of the navigation with its placeholders replaced, at any depth."""
    if isinstance(entry, list):
        return [_expanded(child) for child in entry]
    if isinstance(entry, dict):
        return {title: _expanded(child) for title, child in entry.items()}
    generate = PLACEHOLDERS.get(entry)
    return entry if generate is None else [{page.title: page.path} for page in generate()]
