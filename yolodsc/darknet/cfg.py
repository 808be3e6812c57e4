"""The cfg dialect: text to sections and back.

A file is lines. White space is deleted anywhere in a line before anything else; then the first character decides: ``[`` opens a
section, ``#``, ``;`` and empty lines are skipped, all other lines are options. The first of several equal keys is used. Numbers are
parsed like C's ``atoi`` and ``atof`` (``stride=2 # half`` is 2), strings are used whole. Source: ``parser.c: read_cfg``,
``option_list.c``, ``utils.c: strip``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from yolodsc.errors import CfgError
from yolodsc.files import read_bytes

_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,8})?", re.ASCII)
_WHITE_SPACE = str.maketrans("", "", " \t\r\n\v\f\ufeff\0")
_INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Option:
    """One ``key=value`` line; ``value`` is None where the line has no ``=``, which counts as absent."""

    key: str
    value: str | None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Section:
    """One ``[type]`` with its options in file order. Sections are compared by type and options, not by line."""

    type: str
    options: tuple[Option, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="<cfg>", compare=False)
    _asked: set[str] = field(default_factory=set, compare=False, repr=False)

    def error(self, message: str, *, key: str | None = None) -> CfgError:
        """A `CfgError` that begins with file, line and section; the line is that of ``key`` where it is given."""
        option = None if key is None else self._find(key)
        line = self.line if option is None else option.line
        return CfgError(f"{self.file}:{line}: [{self.type}] {message}")

    def has(self, key: str) -> bool:
        """Whether the key has a value."""
        return self.text(key) is not None

    def text(self, key: str, default: str | None = None) -> str | None:
        """The value as written, without white space."""
        option = self._find(key)
        return default if option is None or option.value is None else option.value

    def integer(self, key: str, default: int, *, minimum: int = -_INT_MAX) -> int:
        """The leading integer of the value, as ``atoi`` reads it; a `CfgError` where there is none."""
        value = self.text(key)
        return default if value is None else self._integer(key, value, minimum)

    def number(self, key: str, default: float) -> float:
        """The leading decimal number of the value, as ``atof`` reads it; a `CfgError` where there is none."""
        value = self.text(key)
        return default if value is None else self._number(key, value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Whether the integer value is not 0."""
        return bool(self.integer(key, int(default)))

    def integers(self, key: str) -> tuple[int, ...]:
        """A comma-separated list; empty when the key is absent. A ``#`` ends the list; a missing item is 0."""
        return tuple(self._integer(key, item, -_INT_MAX) if item else 0 for item in self._items(key))

    def layer_indices(self, key: str) -> tuple[int, ...]:
        """The layers that ``[route] layers`` or ``[shortcut] from`` lists; empty when the key is absent.

        Darknet also counts the commas after a ``#``, and items there that are not numbers are layer 0 (``parser.c: parse_route``).
        """
        _, comment, rest = (self.text(key) or "").partition("#")
        counted = [_INTEGER.match(item) for item in rest.split(",")[1:]] if comment else []
        return self.integers(key) + tuple(int(number[0]) if number else 0 for number in counted)

    def stray_commas(self, key: str) -> Iterator[str]:
        """A remark if the list of layers has items that exist only because Darknet counts commas."""
        value, comment, rest = (self.text(key) or "").partition("#")
        if (comment and "," in rest) or "" in value.split(","):
            listed = ",".join(map(str, self.layer_indices(key)))
            written = _short(self.text(key) or "")
            yield f"{key}={written} is {listed}: Darknet counts every comma, and an item without a number is layer 0"

    def numbers(self, key: str) -> tuple[float, ...]:
        """A comma-separated list; empty when the key is absent. A ``#`` ends the list; a missing item is 0."""
        return tuple(self._number(key, item) if item else 0.0 for item in self._items(key))

    def choice(self, key: str, default: str, choices: frozenset[str]) -> str:
        """One of ``choices``, exactly as written there; a `CfgError` lists them."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(f"{key}={value} is unknown; expected one of {', '.join(sorted(choices))}", key=key)
        return value

    def replaced(self, **values: str | int | None) -> "Section":
        """A copy with other values: the first of equal keys keeps its position, new keys are appended, None removes a key."""
        options, left = [], dict(values)
        for option in self.options:
            if option.key in left:
                value = left.pop(option.key)
            elif values.get(option.key, "") is None:
                value = None
            else:
                options.append(option)
                continue
            if value is not None:
                options.append(Option(option.key, str(value), option.line))
        added = [Option(key, str(value)) for key, value in left.items() if value is not None]
        return Section(self.type, (*options, *added), self.line, self.file)

    def unused(self, *, ignored: frozenset[str] = frozenset()) -> Iterator[str]:
        """A remark for each option that was not read: unknown keys, and repeated keys."""
        first: dict[str, int] = {}
        for option in self.options:
            where = f"{self.file}:{option.line}: [{self.type}]"
            if option.key in first:
                yield f"{where} {option.key} is given again; line {first[option.key]} is used"
            elif option.key not in self._asked and option.key not in ignored:
                yield f"{where} unused option {option.key}"
            first.setdefault(option.key, option.line)

    def _find(self, key: str) -> Option | None:
        self._asked.add(key)
        return next((option for option in self.options if option.key == key), None)

    def _items(self, key: str) -> list[str]:
        value = self.text(key)
        return [] if value is None else value.split("#", 1)[0].split(",")

    def _integer(self, key: str, value: str, minimum: int) -> int:
        match = _INTEGER.match(value)
        if match is None:
            raise self.error(f"{key}={_short(value)} is not an integer", key=key)
        number = int(match[0])
        if not -_INT_MAX <= number <= _INT_MAX or number < minimum:
            raise self.error(f"{key}={_short(value)} is out of range; expected {minimum} to {_INT_MAX}", key=key)
        return number

    def _number(self, key: str, value: str) -> float:
        match = _NUMBER.match(value)
        if match is None or abs(float(match[0])) > 3e38:
            raise self.error(f"{key}={_short(value)} is not a single-precision number", key=key)
        return float(match[0])


@dataclass(frozen=True, slots=True)
class Cfg:
    """A whole file: ``[net]``, then one section per layer.

    ``notes`` are remarks on lines that Darknet drops; comparisons ignore them.
    """

    sections: tuple[Section, ...]
    file: str = field(default="<cfg>", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def net(self) -> Section:
        """The ``[net]`` section."""
        return self.sections[0]

    def format(self) -> str:
        """The text of the file; ``parse`` of it gives an equal value."""
        return "\n".join(_format_section(section) for section in self.sections)


def read_cfg(path: str | Path) -> Cfg:
    """Parse a ``.cfg`` file; a `CfgError` if it cannot be read or parsed."""
    return parse_cfg(read_bytes(path, error=CfgError).decode("utf-8", errors="surrogateescape"), file=str(path))


def parse_cfg(text: str, *, file: str = "<cfg>") -> Cfg:
    """Sections of a cfg text. The first must be ``[net]`` or ``[network]``."""
    sections: list[Section] = []
    options: list[Option] = []
    notes: list[str] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.translate(_WHITE_SPACE)
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            _close(sections, options)
            sections.append(Section(_section_type(line, file, number), (), number, file))
        elif not sections:
            raise CfgError(f"{file}:{number}: option {_short(line)} stands before any section; expected [net] first")
        elif line.find("=") == len(line) - 1:
            notes.append(f"{file}:{number}: [{sections[-1].type}] {_short(line)} has no value and is dropped")
        else:
            key, equals, value = line.partition("=")
            options.append(Option(key, value if equals else None, number))
    _close(sections, options)
    if not sections:
        raise CfgError(f"{file}: no section found; expected [net] first")
    if sections[0].type not in ("net", "network"):
        raise sections[0].error("comes first; expected [net]")
    return Cfg(tuple(sections), file, tuple(notes))


def _close(sections: list[Section], options: list[Option]) -> None:
    """Store the options read so far in the last section."""
    if sections:
        last = sections[-1]
        sections[-1] = Section(last.type, tuple(options), last.line, last.file)
    options.clear()


def _section_type(line: str, file: str, number: int) -> str:
    if not line.endswith("]") or len(line) < 3:
        raise CfgError(f"{file}:{number}: {_short(line)} is not a section; expected [type] on a line of its own")
    return line[1:-1]


def _format_section(section: Section) -> str:
    lines = [o.key if o.value is None else f"{o.key}={o.value}" for o in section.options]
    return "\n".join([f"[{section.type}]", *lines, ""])


def _short(text: str) -> str:
    """Printable, shortened text for an error message."""
    printable = text.encode("ascii", "backslashreplace").decode()
    return printable if len(printable) <= 60 else f"{printable[:57]}..."
