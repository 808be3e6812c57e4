"""The journal of a search: the settings that decide its results, then one line for each candidate that was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from yolodsc.errors import OptionError
from yolodsc.files import exists, read_bytes, write_bytes
from yolodsc.optimize.measurement import Candidate, Measurement
from yolodsc.schemas import checked, dump_json, parse_json

JOURNAL_NAME = "journal.jsonl"


class SearchJournal:
    """Measurements by candidate, written to disk as they are made.

    Raises
    ------
    OptionError
        The file is of another search, has a line that is none of a journal, or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.found: dict[Candidate, Measurement] = {}
        lines = _complete_lines(path)
        if lines:
            self._read(lines, settings)
        else:
            self._begin(dump_json(settings, file=path, error=OptionError) + "\n")

    def add(self, measurement: Measurement) -> None:
        """Append a measurement."""
        self.found[measurement.candidate] = measurement
        content = msgspec.to_builtins(measurement)
        line = dump_json(content, file=self._path, error=OptionError) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise OptionError(f"{self._path}: cannot be written: {error.strerror or error}") from None

    def _read(self, lines: list[str], settings: Mapping[str, Any]) -> None:
        found = parse_json(lines[0], file=f"{self._path}:1", error=OptionError)
        for name, expected in settings.items():
            value = found.get(name) if isinstance(found, dict) else None
            if value != expected:
                raise OptionError(
                    f"{self._path}: of a search with other settings, {name}: {str(value)[:40]}, now {str(expected)[:40]}; "
                    "expected the same, or another directory"
                )
        for number, line in enumerate(lines[1:], 2):
            content = parse_json(line, file=f"{self._path}:{number}", error=OptionError)
            measurement = checked(content, Measurement, file=f"{self._path}:{number}", error=OptionError)
            self.found[measurement.candidate] = measurement
        self._begin("".join(f"{line}\n" for line in lines))  # without a line that an interruption cut off

    def _begin(self, text: str) -> None:
        """Replace the file, so that an interruption loses no measurement."""
        write_bytes(self._path, text.encode(), error=OptionError)


def _complete_lines(path: Path) -> list[str]:
    if not exists(path):
        return []
    return read_bytes(path, error=OptionError).decode("utf-8", "replace").split("\n")[:-1]
