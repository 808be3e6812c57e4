"""The Python interface as its users see it."""
