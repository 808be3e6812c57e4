"""Kinds of detection errors (TIDE)."""
