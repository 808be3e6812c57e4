"""Paired comparison of two evaluations by bootstrap."""
