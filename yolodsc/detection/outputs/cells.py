"""Text in CSV files, protected against evaluation as a formula."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet evaluate a cell, or drop them and look at the next one (OWASP, CSV injection)."""


def text_cell(text: str) -> str:
    """Return the text, with an apostrophe in front if it begins like a formula. Numbers do not pass through here."""
    return f"'{text}" if text.startswith(DANGEROUS) else text
