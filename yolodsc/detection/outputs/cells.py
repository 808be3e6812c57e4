"""Text in CSV files that spreadsheets must not take for formulas."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet evaluate a cell, or drop them and look at the next one (OWASP, CSV injection)."""


def text_cell(text: str) -> str:
    """The text, behind an apostrophe where it begins like a formula. Numbers are not passed through here."""
    return f"'{text}" if text.startswith(DANGEROUS) else text
