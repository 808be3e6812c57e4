"""Class names in scripts that Pillow's own font lacks."""

import numpy as np
import pytest
from PIL import ImageFont

from yolodsc.images import fonts
from yolodsc.images.draw import annotated
from yolodsc.images.labels import label_image


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without fonts."""
    monkeypatch.setattr(fonts, "USUAL_FONTS", ())
    monkeypatch.setattr(fonts, "_files", tuple)
    fonts._font_with.cache_clear()
    label_image.cache_clear()
    yield
    fonts._font_with.cache_clear()
    label_image.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("猫", "Mao"), ("собака 97%", "sobaka 97%"), ("γάτα", "gata"), ("車 dog", "Che dog"), ("\U000f0000", "?")],
)
@pytest.mark.usefixtures("no_fonts")
def test_without_a_font_names_are_transliterated(text: str, expected: str) -> None:
    """To ASCII, which Pillow's own font has."""
    assert fonts.readable(text, 12)[0] == expected


def test_a_font_is_taken_only_if_it_has_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """The glyph of missing characters does not count."""
    files = [file for file in (*fonts.USUAL_FONTS, *fonts._files()) if fonts._has(file, "aя")]
    if not files:
        pytest.skip("needs a font with Cyrillic letters")
    monkeypatch.setattr(fonts, "USUAL_FONTS", ())
    monkeypatch.setattr(fonts, "_files", lambda: ("none.ttf", files[0]))
    fonts._font_with.cache_clear()

    cyrillic, unassigned = fonts.readable("собака", 12), fonts.readable("a\U0010fff0", 12)
    fonts._font_with.cache_clear()

    assert cyrillic[0] == "собака"
    assert isinstance(cyrillic[1], ImageFont.FreeTypeFont)
    assert str(cyrillic[1].path).endswith(files[0])
    assert unassigned[0] == "a"


@pytest.mark.usefixtures("no_fonts")
def test_different_names_look_different() -> None:
    """They are not all drawn as the box of missing characters."""
    image = np.zeros((60, 200, 3), np.uint8)
    boxes, ids = np.array([[5, 5, 150, 50]], np.float32), np.zeros(1, np.int64)

    first, second = (annotated(image, boxes, labels=[name], class_ids=ids) for name in ("猫猫", "犬犬"))

    assert (first != second).any()
