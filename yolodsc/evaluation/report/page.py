"""A page out of its template, style, scripts and data.

All text of the data goes through ``textContent`` in the browser. The data is JSON in which no character can end its element, and
the page's policy admits neither addresses nor scripts from elsewhere.
"""

from pathlib import Path
from typing import Any

from yolodsc.errors import DatasetError
from yolodsc.files import folder as make_folder
from yolodsc.files import replacing
from yolodsc.schemas import dump_json

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "charts.js", "classes.js", "overlay.js", "gallery.js", "audit.js", "page.js")
PAGE = "index.html"
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page_html(data: dict[str, Any]) -> str:
    """The page that shows ``data``."""
    text = dump_json(data, file=PAGE, error=DatasetError)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    script = "\n".join(_asset(name) for name in SCRIPTS)
    parts = {"STYLE": _asset("style.css"), "SCRIPT": script, "DATA": text.encode("utf-8", "replace").decode()}
    before, *rest = _asset("page.html").split("%%")
    return before + "".join(parts.get(part, part) for part in rest)


def write_page(folder: Path, data: dict[str, Any]) -> Path:
    """Write ``index.html`` into a folder; return its path."""
    path = make_folder(folder, error=DatasetError) / PAGE
    with replacing(path, error=DatasetError, mode="w") as file:
        file.write(page_html(data))
    return path


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
