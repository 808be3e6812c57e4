"""`Window`: shows frames on the display."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.errors import OptionError

TITLE = "yolodsc"

_QUIT = frozenset({ord("q"), ord("Q"), 27})
_PROBE = "import cv2; cv2.namedWindow('yolodsc'); cv2.destroyAllWindows()"
_PROBE_SECONDS = 60


class WindowClosed(Exception):  # noqa: N818 not an error
    """The user closed the window, or pressed q or Escape."""


class Window:
    """A window with one image at a time.

    Raises
    ------
    OptionError
        There is no display, or OpenCV cannot open a window.
    """

    def __init__(self) -> None:
        _ensure_display()
        import cv2

        self._cv2: Any = cv2
        cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE)

    def show(self, frame: NDArray[np.uint8], *, until_key: bool = False) -> None:
        """Show an image (H, W, 3) in BGR, and wait for a key with ``until_key``.

        Raises
        ------
        WindowClosed
            The user has ended the run.
        """
        self._cv2.imshow(TITLE, frame)
        while True:
            key = self._cv2.waitKey(100 if until_key else 1)
            if (key >= 0 and key & 0xFF in _QUIT) or self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) < 1:
                raise WindowClosed
            if key >= 0 or not until_key:
                return

    def close(self) -> None:
        """Close the window."""
        self._cv2.destroyAllWindows()


def _ensure_display() -> None:
    """Raise an `OptionError` without a display. A second process tries: OpenCV's libraries end the process if they find none."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OptionError("show: no display; expected a desktop session (DISPLAY or WAYLAND_DISPLAY)", parameter="show")
    try:
        done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode:
        raise OptionError("show: OpenCV cannot open a window on this display; expected a desktop session", parameter="show")
