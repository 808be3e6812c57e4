"""Line breaks inside of inline code: after spaces, dots and slashes, never at the hyphens of an option."""

import re

_BLOCK = re.compile(r"(<pre\b.*?</pre>|<div class=\"highlight.*?</div>)", re.DOTALL)
_CODE = re.compile(r"(<code>)([^<]+)(</code>)")
_BREAK_AFTER = re.compile(r"(?<=[\w)])([./,_])(?=[\w])")

LONG = 16
"""Shorter words never break."""


def with_line_breaks(html: str) -> str:
    """HTML in which words of inline code stay whole, but for long paths and dotted names."""
    parts = _BLOCK.split(html)
    return "".join(part if number % 2 else _CODE.sub(_broken, part) for number, part in enumerate(parts))


def _broken(found: re.Match[str]) -> str:
    begin, text, end = found.groups()
    return begin + " ".join(map(_word, text.split(" "))) + end


def _word(word: str) -> str:
    if len(word) > LONG and not word.startswith("-"):
        return _BREAK_AFTER.sub(r"\1<wbr>", word)
    return f'<span class="whole">{word}</span>' if "-" in word else word
