"""The lines of ``detections.jsonl``: settings, then one line an image."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from yolodsc.errors import DatasetError
from yolodsc.schemas import Box, Finite, Index, Positive, Text, below, checked


class Settings(Struct, frozen=True, kw_only=True):
    """What the detections depend on; the other settings are compared as they stand."""

    names: Annotated[list[Text], Meta(min_length=1)]
    origin: Annotated[float, Meta(ge=0, le=1)]


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One image: classes, scores and boxes of its detections, and seconds of reading, network and the rest."""

    id: Text
    class_ids: list[Index] = field(name="class")
    score: list[Finite]
    box: list[Box]
    seconds: tuple[Positive, Positive, Positive] = (0.0, 0.0, 0.0)


def check_journal_settings(content: Any, *, line: str) -> Settings:
    """The first line; ``line`` is file and number."""
    return checked(content, Settings, file=line, error=DatasetError)


def check_journal_entry(content: Any, *, classes: int, line: str) -> JournalEntry:
    """Another line: one class and one box a score, classes within the names of the first line."""
    entry = checked(content, JournalEntry, file=line, error=DatasetError)
    below(entry.class_ids, classes, at="$.class", file=line, error=DatasetError)
    if not len(entry.class_ids) == len(entry.score) == len(entry.box):
        counts = f"{len(entry.class_ids)} classes, {len(entry.score)} scores and {len(entry.box)} boxes"
        raise DatasetError(f"{line}: at $: got {counts}, expected one of each a detection")
    return entry
