"""Conversion between formats and forms."""
