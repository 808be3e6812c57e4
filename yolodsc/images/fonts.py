"""Fonts for class names in any script: one of the system that has all characters, else the names in ASCII."""

import os
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

USUAL_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf")
"""Fonts of common systems with many scripts, which are tried first."""

MAX_FILES = 4000
"""Maximum number of font files that are considered."""

_FOLDERS = {
    "win32": ("%WINDIR%/Fonts", "%LOCALAPPDATA%/Microsoft/Windows/Fonts"),
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
}
_ENDINGS = (".ttf", ".ttc", ".otf")
_SAMPLE_SIZE = 20
_UNASSIGNED = "\U0010fffd"
"""A character that no font has: its glyph is the one of missing characters."""


def readable(text: str, size: float) -> tuple[str, Font]:
    """Return the text as it is drawn, and its font.

    Text that no font of the system has is transliterated to ASCII.
    """
    if text.isascii():
        return text, default_font(size)
    file = _font_with("".join(sorted(set(text))))
    if file is not None:
        return text, ImageFont.truetype(file, size)
    from anyascii import anyascii

    return " ".join(anyascii(text).split()) or "?", default_font(size)


@lru_cache(maxsize=32)
def default_font(size: float) -> Font:
    """Pillow's own font."""
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=256)
def _font_with(characters: str) -> str | None:
    """The first font file that has all characters."""
    return next((file for file in (*USUAL_FONTS, *_files()) if _has(file, characters)), None)


def _has(file: str, characters: str) -> bool:
    """Whether a font has a glyph for each character; False for files that are no fonts."""
    try:
        font = ImageFont.truetype(file, _SAMPLE_SIZE, layout_engine=ImageFont.Layout.BASIC)
        missing = bytes(font.getmask(_UNASSIGNED))
        return all(character.isspace() or bytes(font.getmask(character)) != missing for character in characters)
    except (OSError, ValueError):
        return False


@cache
def _files() -> tuple[str, ...]:
    """The font files of the system: upright sans-serif fonts of normal weight first."""
    found = [path for folder in _folders() for path in _fonts_in(folder)][:MAX_FILES]
    return tuple(sorted(found, key=_preference))


def _folders() -> Iterator[str]:
    yield from (str(Path(os.path.expandvars(folder)).expanduser()) for folder in _FOLDERS.get(sys.platform, _FOLDERS["linux"]))


def _fonts_in(folder: str) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        yield from (str(Path(directory, name)) for name in sorted(names) if name.lower().endswith(_ENDINGS))


def _preference(path: str) -> tuple[bool, bool, str]:
    name = Path(path).name.lower()
    special = any(word in name for word in ("bold", "italic", "oblique", "mono", "light", "black", "serif", "symbol", "emoji"))
    return special, "sans" not in name, path
