"""Text that grows image by image: a file that replaces its predecessor at the end, or a stream that is open already."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from yolodsc.errors import ImageError
from yolodsc.files import replacing

Target = str | Path | IO[str]
"""A path, or a stream such as standard output."""


class TextOutput:
    """Writes text to a path atomically, or to a stream, which it flushes and does not close.

    Parameters
    ----------
    target
        Where the text goes.
    """

    def __init__(self, target: Target) -> None:
        self._stack = ExitStack()
        self._streaming = not isinstance(target, str | Path)
        self._file: IO[str]
        if isinstance(target, str | Path):
            self.name = str(target)
            self._file = self._stack.enter_context(replacing(target, error=ImageError, mode="w"))
        else:
            self.name, self._file = "standard output", target
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the output is finished or discarded."""
        return self._closed

    def write(self, text: str) -> int:
        """Write text; a stream gets it at once."""
        try:
            self._file.write(text)
            if self._streaming:
                self._file.flush()
        except OSError:  # the file may end within an entry: it goes, and the error names it
            self._closed = True
            self._stack.__exit__(*sys.exc_info())
            raise
        return len(text)

    def close(self) -> None:
        """Finish the file."""
        self._closed = True
        self._stack.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged. What a stream has got stays there."""
        self._closed = True
        with suppress(ImageError), self._stack:
            raise ImageError


class JsonList:
    """A JSON list of any length, written entry by entry; the common base of writers of such lists."""

    def __init__(self, target: Target) -> None:
        self._output = TextOutput(target)
        self._output.write("[")
        self._entries = 0

    def _append(self, entries: Sequence[str]) -> None:
        """Write entries that are JSON."""
        if entries:
            self._output.write((",\n" if self._entries else "\n") + ",\n".join(entries))
            self._entries += len(entries)

    def close(self) -> None:
        """End the list and finish the file."""
        if not self._output.closed:
            self._output.write("\n]\n")
        self._output.close()

    def abandon(self) -> None:
        """Discard the file; an existing file stays unchanged."""
        self._output.abandon()
