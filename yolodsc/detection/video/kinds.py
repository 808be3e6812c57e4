"""Which sources are videos, cameras or streams; decided by names, without OpenCV."""

from pathlib import Path
from urllib.parse import urlsplit

from yolodsc.files import exists, is_file

VIDEO_EXTENSIONS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .ts .mts .m2ts .wmv .flv .f4v .3gp .ogv .asf .mjpg .mjpeg .h264 .h265".split()
)
"""Extensions of the videos that a directory contributes."""

ANIMATIONS = frozenset({".gif", ".webp"})
"""Extensions of images that may be animated."""

_ENDS = tuple(end for suffix in VIDEO_EXTENSIONS | ANIMATIONS for end in (suffix, f"{suffix}/"))
"""Ends of names that have one of these extensions; a test of all at once, because every image is asked."""

SCHEMES = frozenset("http https rtsp rtsps rtmp rtmps rtp udp tcp srt".split())
"""URL schemes of streams."""

_CAMERA_DEVICE = "/dev/video"


def is_clip(source: str) -> bool:
    """Whether a source has frames: a video, an animation, a camera or a URL (which may turn out to be an image)."""
    if is_no_file(source):
        return True
    if not source.lower().endswith(_ENDS):
        return False
    suffix = Path(source).suffix.lower()
    return suffix in VIDEO_EXTENSIONS or (suffix in ANIMATIONS and is_animated(source))


def is_no_file(source: str) -> bool:
    """Whether a source is a camera or a URL."""
    return is_url(source) or is_camera(source)


def is_url(source: str) -> bool:
    """Whether a source is the URL of a stream, a video or an image."""
    scheme, separator, rest = source.partition("://")
    return bool(separator and rest) and scheme.lower() in SCHEMES


def is_camera(source: str) -> bool:
    """Whether a source is the index of a camera, or its device; a file of that name takes precedence over an index."""
    return (source.isascii() and source.isdecimal() and not exists(source)) or source.startswith(_CAMERA_DEVICE)


def is_animated(path: str) -> bool:
    """Whether a GIF or WebP file has more than one frame; False for files that cannot be read."""
    if not is_file(path):
        return False
    from yolodsc.images import open_image

    try:
        with open_image(path) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # decoders raise errors of any class; whoever reads the image reports them
        return False


def display_name(source: str) -> str:
    """Return a source as it is shown and stored: cameras by number, URLs without their credentials."""
    if is_url(source):
        scheme, _, rest = source.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    return f"camera{source}" if is_camera(source) and source.isdecimal() else source


def file_name(source: str) -> str:
    """Return the name that output files of a source take: the last part of its path, or the host of a URL without a path."""
    if not is_url(source):
        return source
    parts = urlsplit(source)
    return Path(parts.path).name or (parts.hostname or parts.scheme).replace(".", "_")
