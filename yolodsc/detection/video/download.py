"""Images behind ``http://`` and ``https://`` URLs."""

from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from yolodsc.detection.sources import IMAGE_EXTENSIONS
from yolodsc.detection.video.kinds import VIDEO_EXTENSIONS, display_name
from yolodsc.errors import ImageError

MAX_DOWNLOAD = 2**28
"""Maximum bytes of an image behind a URL."""

_SECONDS = 10
_PLAYLISTS = frozenset({".m3u8", ".mpd"})


def image_suffix(url: str) -> str:
    """Return the extension of the image that a URL names; empty if it names none."""
    suffix = Path(urlsplit(url).path).suffix.lower()
    return suffix if suffix in IMAGE_EXTENSIONS else ""


def downloaded_image(url: str) -> bytes | None:
    """Return the content of an image; None if the URL is that of a video or stream, by its extension or by its content type.

    Raises
    ------
    ImageError
        The server does not answer, refuses, or the image is too large.
    """
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        return None
    if Path(urlsplit(url).path).suffix.lower() in VIDEO_EXTENSIONS | _PLAYLISTS:
        return None
    name = display_name(url)
    try:
        with urlopen(Request(url, headers={"User-Agent": "yolodsc"}), timeout=_SECONDS) as response:
            kind = response.headers.get_content_type()
            if not kind.startswith("image/") and not (image_suffix(url) and kind == "application/octet-stream"):
                return None
            content: bytes = response.read(MAX_DOWNLOAD + 1)
    except (OSError, ValueError) as error:  # URLError, timeouts, and credentials in the URL, which urllib does not take
        if "@" in urlsplit(url).netloc and not isinstance(error, URLError):
            return None
        raise ImageError(f"{name}: cannot be read: {getattr(error, 'reason', None) or error}") from None
    if len(content) > MAX_DOWNLOAD:
        raise ImageError(f"{name}: more than {MAX_DOWNLOAD} bytes; expected an image of at most that")
    return content
