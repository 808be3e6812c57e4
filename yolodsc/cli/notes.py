"""Notes on faulty or unusual input."""

from collections.abc import Sequence

from yolodsc.cli.terminal import note

MAX_NOTES = 20
"""Number of notes that are printed."""


def print_notes(notes: Sequence[str], *, rest: str) -> None:
    """Print the first notes on standard error, and how many more there are; ``rest`` says how to see them."""
    for remark in notes[:MAX_NOTES]:
        note(remark)
    if len(notes) > MAX_NOTES:
        note(f"… and {len(notes) - MAX_NOTES} more ({rest})")
